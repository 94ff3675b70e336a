"""A name twice, names that are none here, and text that would end a comment or a line."""


def rule(user):
    return user.name != "x\u2028"  # a separator: [ allow: "true"] and an escape: [[31m]


AWS_STORAGE_BUCKET_NAME = "names"
AWS_S3_REGION_NAME = "sa-east-1"
AWS_S3_ENDPOINT_URL = "https://s3.sa-east-1.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "twice": {"key": "first", "acl": "private"},
    "twice": {"key": "über/{user}/*", "acl": "private"},
    "it's\n  evil: { store: media }": {"key": "k", "auth": rule, "acl": "private"},
}
