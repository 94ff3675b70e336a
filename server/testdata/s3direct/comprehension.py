AWS_STORAGE_BUCKET_NAME = "pictures"
AWS_S3_REGION_NAME = "eu-north-1"
AWS_S3_ENDPOINT_URL = "https://s3.eu-north-1.amazonaws.com"
SIZES = {"small": 2, "large": 200}
S3DIRECT_DESTINATIONS = {
    f"pictures-{name}": {
        "key": f"pictures/{name}",
        "allowed": [f"image/{t}" for t in ("png", "jpeg", "webp")],
        "content_length_range": (1, size * 1000 ** 2),
        "acl": "private",
    }
    for name, size in SIZES.items()
}
