"""Other ways to write Amazon's endpoints, and one's own."""
AWS_STORAGE_BUCKET_NAME = "acme-media"
AWS_S3_REGION_NAME = "eu-west-1"
COMMON = {"auth": lambda u: u.is_authenticated, "acl": "private", "content_length_range": (0, 1)}
S3DIRECT_DESTINATIONS = {
    "plain": {"key": "a", "endpoint": "s3.eu-west-1.amazonaws.com/", **COMMON},
    "accelerated": {"key": "b", "endpoint": "https://acme-media.s3-accelerate.amazonaws.com", **COMMON},
    "dual": {"key": "c", "endpoint": "https://s3.dualstack.eu-west-1.amazonaws.com", **COMMON},
    "elsewhere": {"key": "d", "endpoint": "https://s3.eu-west-3.amazonaws.com", **COMMON},
    "own": {"key": "e", "endpoint": "https://s3.example.org:9000/minio/", **COMMON},
    "custom": {"key": "f", "endpoint": "custom-endpoint", "region": "custom-region", **COMMON},
    "lookalike": {"key": "g", "endpoint": "https://s3.eu-west-1.amazonaws.com.example.org", **COMMON},
}
