"""Settings as classes, in the way of django-configurations: the environment names one."""
import os


class Common:
    AWS_S3_REGION_NAME = "us-west-2"

    @property
    def AWS_S3_ENDPOINT_URL(self):
        return "https://s3.%s.amazonaws.com" % self.AWS_S3_REGION_NAME

    @property
    def S3DIRECT_DESTINATIONS(self):
        return dict(
            videos=dict(key="videos", auth=self.may_upload, allowed=("video/mp4", "video/quicktime")),
            captions=dict(key="captions", auth=self.may_upload, allowed=("text/vtt",), content_length_range=(1, 2e6)),
        )

    def may_upload(self, user):
        return user.is_authenticated and user.profile.is_producer


class Production(Common):
    AWS_STORAGE_BUCKET_NAME = "films-production"


_settings = globals()[os.environ.get("DJANGO_CONFIGURATION", "Production")]()
globals().update({name: getattr(_settings, name) for name in dir(_settings) if name.isupper()})
