"""The settings that django-s3direct's README shows, value for value."""
AWS_ACCESS_KEY_ID = "AKIANOTFORYOU"
AWS_SECRET_ACCESS_KEY = "not-for-you"
AWS_STORAGE_BUCKET_NAME = "your-aws-s3-bucket-name"
AWS_S3_REGION_NAME = "eu-west-1"
AWS_S3_ENDPOINT_URL = "https://s3.eu-west-1.amazonaws.com"

S3DIRECT_DESTINATIONS = {
    "example_destination": {
        "key": "uploads/images",
        "auth": lambda u: u.is_staff,
        "allowed": ["image/jpeg", "image/png", "video/mp4"],
        "bucket": "custom-bucket",
        "endpoint": "https://s3.eu-central-1.amazonaws.com",
        "region": "eu-central-1",
        "acl": "private",
        "cache_control": "max-age=2592000",
        "content_disposition": lambda x: 'attachment; filename="{}"'.format(x),
        "content_length_range": (5000, 20000000),
        "server_side_encryption": "AES256",
        "allow_existence_optimization": False,
    },
    "example_destination_two": {
        "key": lambda filename, args: args + "/" + filename,
        "key_args": "uploads/images",
    },
}
