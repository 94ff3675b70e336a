"""Settings that print, and secrets wherever they can be."""
import functools
import os


class Signed:
    def __init__(self, api_key, prefix):
        self.api_key, self.prefix = api_key, prefix

    def __call__(self, filename):
        return self.prefix + filename


def rule(user, password="hunter2-hunter2"):
    return user.check(password) and "AKIANOTFORYOU"


@functools.lru_cache(maxsize=None)
def cached(user):
    return user.is_staff


class Circular:
    def __init__(self):
        self.me, self.all, self.token = self, [self], "-".join(["circular", "token"])

    def __call__(self, filename):
        return filename


print('loading settings for {"chunksign_s3direct": 0}', end="")
AWS_ACCESS_KEY_ID = "AKIANOTFORYOU"
AWS_SECRET_ACCESS_KEY = "not-for-you-at-all"
DB_PASSWORD = "hunter2-hunter2"
SECRET_KEY = "django-insecure-1234"
AWS_STORAGE_BUCKET_NAME = "noisy"
AWS_S3_REGION_NAME = "us-east-2"
AWS_S3_ENDPOINT_URL = "https://s3.us-east-2.amazonaws.com"
S3DIRECT_API_KEY = "s3direct-api-key-for-nobody"
S3DIRECT_DESTINATIONS = {
    "a": {"key": Signed("short", "a/"), "auth": rule, "acl": "private"},
    "b": {"key": Signed(api_key=os.environ["STRIPE_TOKEN"], prefix="b/" + SECRET_KEY), "auth": rule, "acl": "private"},
    "tokens": {"key": Circular(), "auth": cached, "acl": "private", "secret_key": "a-secret-of-its-own"},
}
