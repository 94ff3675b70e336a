"""Functions for what takes one."""
import os
import uuid


def create_filename(filename):
    # A name nobody can guess.
    ext = filename.split(".")[-1]
    return os.path.join("custom", "%s.%s" % (uuid.uuid4().hex, ext))


AWS_STORAGE_BUCKET_NAME = "key-media"
AWS_S3_REGION_NAME = "ca-central-1"
AWS_S3_ENDPOINT_URL = "https://s3.ca-central-1.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "custom": {"key": create_filename, "auth": lambda u: u.is_authenticated, "acl": "private"},
    "attached": {
        "key": lambda filename, args: args + "/" + filename,
        "key_args": "uploads/images",
        "auth": lambda u: u.is_authenticated,
        "content_disposition": lambda x: 'attachment; filename="{}"'.format(x),
        "acl": "private",
    },
    "broken": {"auth": lambda u: u.is_authenticated, "acl": "private"},
}
