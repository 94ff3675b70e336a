AWS_STORAGE_BUCKET_NAME = "acme-cn"
AWS_S3_REGION_NAME = "cn-northwest-1"
AWS_S3_ENDPOINT_URL = "https://s3.cn-northwest-1.amazonaws.com.cn"
S3DIRECT_DESTINATIONS = {
    "照片": {"key": "照片/头像", "auth": lambda u: u.is_authenticated, "allowed": ["image/jpeg"], "acl": "private"},
}
