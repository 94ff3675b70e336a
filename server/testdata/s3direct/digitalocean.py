"""DigitalOcean Spaces; the endpoint comes from the environment."""
import os

AWS_ACCESS_KEY_ID = os.environ["SPACES_KEY"]
AWS_SECRET_ACCESS_KEY = os.environ["SPACES_SECRET"]
AWS_STORAGE_BUCKET_NAME = "space"
AWS_S3_REGION_NAME = os.environ.get("SPACES_REGION", "ams3")
AWS_S3_ENDPOINT_URL = f"https://{AWS_S3_REGION_NAME}.digitaloceanspaces.com"
S3DIRECT_DESTINATIONS = {
    "images": {"key": "uploads/images", "auth": lambda u: u.is_staff, "allowed": ["image/png"], "content_length_range": (5000, 20000000)},
    "elsewhere": {"key": "/", "auth": lambda u: u.is_staff, "bucket": "other", "region": "", "endpoint": "https://other.fra1.digitaloceanspaces.com/"},
}
