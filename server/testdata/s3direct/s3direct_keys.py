import uuid


class S3KeyWithUUID:
    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, filename):
        return f"{self.prefix}{uuid.uuid4()}.{filename.rsplit('.', 1)[-1]}"


class S3KeyWithUUIDFolder(S3KeyWithUUID):
    def __call__(self, filename):
        return f"{self.prefix}/{uuid.uuid4()}/{filename}"
