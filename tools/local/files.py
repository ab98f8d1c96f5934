"""Files in the platform's buckets, for a person without other AWS tools."""

from pathlib import Path

from . import platform
from .progress import Failed

BUCKETS = ("DacsOutboxBucket", "DacsInboxBucket", "DermsOutboxBucket", "DermsInboxBucket", "OuaiOutboxBucket", "OuaiInboxBucket", "RejectsBucket")


def drop(facts, flow, path):
    """Puts a file where the flow takes it: in the outbox of its source, under its subject. Gives the address."""
    if flow not in facts["functions"]:
        raise Failed(f"No flow {flow!r}; there are: {', '.join(sorted(facts['functions']))}")
    source, _, subject = flow.split("-", 2)
    file = Path(path)
    if not file.is_file():
        raise Failed(f"No file {path}")
    bucket, key = facts["outputs"][f"{source.capitalize()}OutboxBucket"], f"{subject}/{file.name}"
    platform.client(facts, "s3").upload_file(str(file), bucket, key)
    return f"s3://{bucket}/{key}"


def listing(facts):
    """Every object that was dropped, delivered or rejected, a line each: when, how large, where."""
    s3 = platform.client(facts, "s3")
    for output in BUCKETS:
        bucket = facts["outputs"].get(output)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) if bucket else []
        for each in (item for page in pages for item in page.get("Contents", [])):
            yield f"{each['LastModified']:%H:%M:%S} {each['Size']:>12} s3://{bucket}/{each['Key']}"


def text(facts, address):
    """The content of one object."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not key:
        raise Failed("An address looks like s3://bucket/key")
    return platform.client(facts, "s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode(errors="replace")
