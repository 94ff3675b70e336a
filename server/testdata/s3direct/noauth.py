"""Nothing but what has to be there: anybody may upload anything, and everybody may read it."""
AWS_STORAGE_BUCKET_NAME = "public-media"
AWS_S3_REGION_NAME = "us-east-1"
AWS_S3_ENDPOINT_URL = "https://s3.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "misc": {"key": "/"},
    "files": {"key": "files", "allowed": "*", "auth": None},
    "images": {"key": "images", "allowed": [], "content_length_range": None, "allow_existence_optimization": True},
}
