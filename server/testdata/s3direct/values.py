"""Values that are no plain literals: lazy texts, Decimals, enumerations, sets, views of dicts, objects."""
import collections
import decimal
import enum

from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _


class Region(str, enum.Enum):
    FRANKFURT = "eu-central-1"


class MB(enum.IntEnum):
    SMALL = 5_000_000


TYPES = collections.OrderedDict([("image/png", ".png"), ("image/gif", ".gif")])
AWS_STORAGE_BUCKET_NAME = SimpleLazyObject(lambda: "lazy-media")
AWS_S3_REGION_NAME = Region.FRANKFURT
AWS_S3_ENDPOINT_URL = "https://s3.eu-central-1.amazonaws.com"
S3DIRECT_DESTINATIONS = collections.defaultdict(dict, {
    "lazy": {"key": _("uploads"), "allowed": TYPES.keys(), "content_length_range": (decimal.Decimal("1"), MB.SMALL), "acl": "private"},
    "odd": SimpleLazyObject(lambda: {"key": "odd", "allowed": frozenset(["text/csv", b"text/plain"]),
                                     "content_length_range": (0, float("inf")), "acl": "private"}),
    "none": object,
    "text": {"key": "text", "auth": "is_staff", "allowed": ["image/*", "*"], "content_length_range": ["1", "2"], "acl": "private"},
})
