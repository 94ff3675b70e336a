"""Rules and key functions of an app: decorated, static, of a class, behind an operator."""
import operator

from accounts import rules
from apps.core.uploads import S3UUIDPrefixKey

AWS_STORAGE_BUCKET_NAME = "press-media"
AWS_S3_REGION_NAME = "eu-west-3"
AWS_S3_ENDPOINT_URL = "https://s3.eu-west-3.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "press": {"key": S3UUIDPrefixKey("press"), "auth": rules.may_publish, "acl": "public-read"},
    "staff": {"key": S3UUIDPrefixKey("staff"), "auth": rules.Rules.staff, "acl": "public-read"},
    "root": {"key": "root", "auth": rules.Rules.superuser, "acl": "public-read"},
    "active": {"key": "active", "auth": operator.attrgetter("is_active"), "acl": "public-read"},
}
