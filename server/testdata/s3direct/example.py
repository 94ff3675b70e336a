"""The destinations of django-s3direct's example project."""
import os

AWS_STORAGE_BUCKET_NAME = os.environ.get("AWS_STORAGE_BUCKET_NAME", "")
AWS_S3_ENDPOINT_URL = os.environ.get("AWS_S3_ENDPOINT_URL", "")
AWS_S3_REGION_NAME = os.environ.get("AWS_S3_REGION_NAME", "")


def create_filename(filename):
    import uuid
    return os.path.join("custom", "%s.%s" % (uuid.uuid4().hex, filename.split(".")[-1]))


S3DIRECT_DESTINATIONS = {
    "misc": {"key": "/"},
    "pdfs": {"key": "uploads/pdfs", "auth": lambda u: u.is_staff},
    "images": {
        "key": "uploads/images",
        "auth": lambda u: True,
        "allowed": ["image/jpeg", "image/png"],
        "content_length_range": (5000, 20000000),
        "allow_existence_optimization": True,
    },
    "videos": {"key": "uploads/videos", "auth": lambda u: u.is_authenticated, "allowed": ["video/mp4"]},
    "custom_filename": {"key": create_filename},
}
