"""MinIO in a container beside the site; Paths; no region."""
from pathlib import Path, PurePosixPath

BASE_DIR = Path("/srv/app")
AWS_STORAGE_BUCKET_NAME = "media"
AWS_S3_ENDPOINT_URL = "http://minio:9000"
UPLOADS = PurePosixPath("uploads")
S3DIRECT_DESTINATIONS = {
    "scans": {"key": UPLOADS / "scans", "auth": lambda u: u.is_authenticated, "allowed": {"image/tiff", "application/pdf"}, "acl": "private"},
}
