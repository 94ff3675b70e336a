AWS_STORAGE_BUCKET_NAME = "records"
AWS_S3_ENDPOINT_URL = "https://s3-fips.us-gov-west-1.amazonaws.com"
S3DIRECT_DESTINATIONS = {
    "records": {"key": "records", "auth": lambda u: u.is_authenticated, "server_side_encryption": "AES256", "acl": "bucket-owner-full-control"},
}
