#!/usr/bin/env python3
"""What boto3 presigns, as golden values: /usr/bin/python3 presigned.py > boto3.json

boto3.json was written by boto3 1.26.27 with botocore 1.29.27 (Debian 12's python3-boto3).
"""
import datetime
import json

import boto3
import botocore
from botocore.config import Config

AT = datetime.datetime(2026, 5, 17, 12, 0, 0)


class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return AT


import botocore.auth  # noqa: E402
import botocore.signers  # noqa: E402

for module in (botocore.auth, botocore.signers):
    module.datetime.datetime = Clock

KEY, SECRET = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEPX//+/=="
STORES = {
    "aws": {"region": "eu-west-1", "addressing": "virtual"},
    "path": {"region": "us-east-1", "endpoint": "http://127.0.0.1:9000", "addressing": "path"},
}
NAMES = ["photos/u1/film.mp4", "a/näme 名前 (1)+~'!*.bin", "a//b/%2F?x=1&y#z"]


def client(store, token):
    return boto3.client(
        "s3", region_name=store["region"], endpoint_url=store.get("endpoint"),
        aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=token or None,
        config=Config(signature_version="s3v4", s3={"addressing_style": store["addressing"]}))


SHA = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
# A call, its parameters, and the headers that its sender has to send.
CALLS = [
    ("get_object", {}, {}),
    ("get_object", {"ResponseContentDisposition": "attachment; filename=\"a b.txt\"; filename*=UTF-8''n%C3%A4me", "ResponseContentType": "text/plain; charset=utf-8"}, {}),
    ("head_object", {"VersionId": "3/L4kqtJl+40=="}, {}),
    ("put_object", {}, {}),
    ("put_object", {"ContentType": "image/png", "ContentLength": 5}, {"content-type": "image/png", "content-length": "5"}),
    ("put_object", {"ContentType": "text/plain", "ACL": "public-read", "CacheControl": "no-cache", "ContentDisposition": "inline", "ContentEncoding": "gzip",
                    "Metadata": {"uuid": "14365123651274", "note": "two  words"}, "ServerSideEncryption": "aws:kms",
                    "SSEKMSKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1", "StorageClass": "STANDARD_IA", "Tagging": "a=1&b=%3C2%3E", "ChecksumSHA256": SHA},
     {"content-type": "text/plain", "x-amz-acl": "public-read", "cache-control": "no-cache", "content-disposition": "inline", "content-encoding": "gzip",
      "x-amz-meta-uuid": "14365123651274", "x-amz-meta-note": "two  words", "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-west-1:123456789012:key/1", "x-amz-storage-class": "STANDARD_IA",
      "x-amz-tagging": "a=1&b=%3C2%3E", "x-amz-checksum-sha256": SHA}),
    ("create_multipart_upload", {"ContentType": "video/mp4", "ChecksumAlgorithm": "SHA256"}, {"content-type": "video/mp4", "x-amz-checksum-algorithm": "SHA256"}),
    ("upload_part", {"UploadId": "a+/b==~.x", "PartNumber": 10000, "ChecksumSHA256": SHA}, {"x-amz-checksum-sha256": SHA}),
    ("list_parts", {"UploadId": "u", "PartNumberMarker": 1000, "MaxParts": 1000}, {}),
    ("complete_multipart_upload", {"UploadId": "u"}, {}),
    ("abort_multipart_upload", {"UploadId": "u"}, {}),
]

urls, forms = [], []
for name, store in STORES.items():
    for token in ("", TOKEN):
        s3 = client(store, token)
        about = {"store": store, "bucket": "media", "sessionToken": token}
        for i, (call, params, headers) in enumerate(CALLS):
            key, expires = NAMES[i % len(NAMES)], [60, 900, 604800][i % 3]
            url = s3.generate_presigned_url(call, {"Bucket": "media", "Key": key, **params}, ExpiresIn=expires)
            urls.append({"call": call, **about, "key": key, "headers": headers, "expires": expires, "url": url})
        fields = {"acl": "public-read", "Content-Type": "image/png", "success_action_status": "201", "x-amz-meta-uuid": "14365123651274"}
        conditions = [{k: v} for k, v in fields.items()] + [["content-length-range", 5, 5], ["starts-with", "$x-amz-meta-tag", "a"]]
        form = s3.generate_presigned_post("media", NAMES[0], Fields=dict(fields), Conditions=conditions, ExpiresIn=900)
        forms.append({**about, "key": NAMES[0], "expires": 900, **form})

print(json.dumps({"boto3": boto3.__version__, "botocore": botocore.__version__, "accessKeyId": KEY, "secretAccessKey": SECRET,
                  "time": AT.strftime("%Y-%m-%dT%H:%M:%SZ"), "urls": urls, "forms": forms}, ensure_ascii=False, indent=1))
