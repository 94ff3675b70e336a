"""A loop fills the dict, and an if decides."""
import os

AWS_STORAGE_BUCKET_NAME = "courses"
AWS_S3_REGION_NAME = "ap-southeast-2"
AWS_S3_ENDPOINT_URL = "https://s3-ap-southeast-2.amazonaws.com"
S3DIRECT_DESTINATIONS = {}
for course, mb in [("maths", 50), ("music", 500)]:
    S3DIRECT_DESTINATIONS["%s_material" % course] = {
        "key": "courses/%s" % course,
        "auth": lambda u: u.is_staff,
        "content_length_range": (0, mb * 1024 * 1024),
        "acl": "private",
        "cache_control": "max-age=3600",
    }
if os.environ.get("WITH_MEDICINE") == "yes":
    S3DIRECT_DESTINATIONS["medicine_material"] = {"key": "courses/medicine", "acl": "private", "server_side_encryption": "aws:kms"}
