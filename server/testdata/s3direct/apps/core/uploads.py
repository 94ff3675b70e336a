"""Key functions as many projects have them: classes whose objects are called."""
import os
import uuid


class S3UUIDPrefixKey:
    """A UUID in front of the file's name."""

    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, filename):
        return f"{self.prefix}/{uuid.uuid4()}_{filename}"


def dated(filename, args):
    import datetime
    return os.path.join(args["folder"], str(datetime.date.today()), filename)
