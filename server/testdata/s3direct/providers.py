"""Backups of one site at several providers."""
COMMON = {"auth": lambda u: u.is_superuser, "acl": "private", "bucket": "backups"}
S3DIRECT_DESTINATIONS = {
    "wasabi": {"key": "w", "endpoint": "https://s3.eu-central-1.wasabisys.com", "region": "eu-central-1", **COMMON},
    "b2": {"key": "b", "endpoint": "https://s3.us-west-004.backblazeb2.com", **COMMON},
    "r2": {"key": "r", "endpoint": "https://0123456789abcdef.r2.cloudflarestorage.com", **COMMON},
    "google": {"key": "g", "endpoint": "https://storage.googleapis.com", "region": "auto", **COMMON},
}
