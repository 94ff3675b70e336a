"""A region that is none of Amazon's, and no endpoint."""
AWS_STORAGE_BUCKET_NAME = "space"
AWS_S3_REGION_NAME = "ams3"
S3DIRECT_DESTINATIONS = {"misc": {"key": "misc", "auth": lambda u: u.is_staff, "acl": "private"}}
