import os

AWS_STORAGE_BUCKET_NAME = "dev-media"
AWS_S3_REGION_NAME = "eu-west-1"
AWS_S3_ENDPOINT_URL = "https://s3.eu-west-1.amazonaws.com"
SESSION_COOKIE_NAME = "acme_session"
BASE = {"acl": "private", "content_length_range": (1, 10 * 1024 ** 2)}
S3DIRECT_DESTINATIONS = {
    "avatars": {"key": "avatars", "auth": lambda u: u.is_authenticated, "allowed": ["image/png", "image/jpeg"], **BASE},
    "documents": {"key": "documents", "auth": lambda u: u.is_authenticated, "allowed": ["application/pdf"], **BASE},
}
DEBUG = os.environ.get("DEBUG") == "1"
