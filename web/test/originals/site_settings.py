"""django-s3direct's example project as it is, with its database elsewhere and a view that says who is signed in."""

import os

from example.settings import *  # noqa: F401,F403 (the checkout's)
from example.settings import DATABASES

DATABASES['default']['NAME'] = os.path.join(os.environ['SITE_DATA'], 'db.sqlite3')
ROOT_URLCONF = 'site_urls'
DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'
AWS_ACCESS_KEY_ID = AWS_SECRET_ACCESS_KEY = None  # the views are chunksign's
