import functools

from accounts.rules import Rules
from apps.core.uploads import dated


def in_folder(folder, filename):
    return folder + "/" + filename


AWS_STORAGE_BUCKET_NAME = "partial-media"
AWS_S3_REGION_NAME = "eu-west-2"
AWS_S3_ENDPOINT_URL = "https://s3.eu-west-2.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "letters": {
        "key": functools.partial(in_folder, "letters"),
        "auth": functools.partial(Rules().in_group, "writers"),
        "acl": "private",
    },
    "reports": {
        "key": dated,
        "key_args": {"folder": "reports"},
        "auth": functools.partial(Rules().in_group, name="auditors"),
        "acl": "private",
    },
}
