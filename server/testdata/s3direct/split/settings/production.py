from .base import *  # noqa

AWS_STORAGE_BUCKET_NAME = "acme-production-media"
S3DIRECT_DESTINATIONS |= {"exports": {"key": "/exports/", "auth": lambda u: u.is_superuser, **BASE}}
S3DIRECT_DESTINATIONS["documents"]["bucket"] = "acme-production-documents"
del S3DIRECT_DESTINATIONS["avatars"]["content_length_range"]
