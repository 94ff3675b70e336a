"""As before django-s3direct 1.0."""
AWS_STORAGE_BUCKET_NAME = "old-media"
S3DIRECT_REGION = "eu-west-1"
S3DIRECT_DESTINATIONS = {
    "misc": ("uploads/misc",),
    "files": ("uploads/files", lambda u: u.is_staff,),
    "pdfs": ("/", lambda u: True, ["application/pdf"], "private", "pdf-bucket", "max-age=60", "attachment", "AES256"),
}
