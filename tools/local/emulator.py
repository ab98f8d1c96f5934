"""Runs the emulator in this process, with four things set right: three that the template's policies rest on, and one
without which its queues would stand still.

TLS: the template lets nobody in without it. The emulator listens on the loopback interface without it, so each request
is marked as a TLS proxy would mark it; one that says otherwise itself is refused, which is how a test shows the rule.

Partitions of the ledger: a function may touch only the items whose key begins with its flow's name. The emulator does
not know `dynamodb:LeadingKeys`, so they are read from the request here, as AWS documents it.

Conditional writes: a role may be let in to write objects only where nothing is. The emulator carries such writes out, but
does not know `s3:if-none-match`, so it is read from the request here, as AWS documents it.

Limits of event sources: one that reaches `ScalingConfig` by a template parameter stays text, and comparing it with a
number ends each round of the poller of all queues (`ESM SQS poller error: '>=' not supported …`). It is made a number.

When it is asked to end, it ends the functions' processes it started first: by itself it would leave them behind.
"""

import atexit
import json
import os
import re

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.services import lambda_svc

from . import processes

_MARK = (b"x-forwarded-proto", b"https")
_PARTITION_KEY = "pk"

_emulator = ministack.app
_dynamodb_context = iam_actions.dynamodb_service_context
_object_context = iam_actions._s3_object_context
_concurrency = lambda_svc._sqs_esm_concurrency


async def _behind_tls(scope, receive, send):
    if scope["type"] == "http" and all(name != _MARK[0] for name, _ in scope["headers"]):
        scope = {**scope, "headers": [*scope["headers"], _MARK]}
    await _emulator(scope, receive, send)


def _with_leading_keys(body):
    context = _dynamodb_context(body)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return context
    keys = sorted({*_keys_of_items(request), *_keys_of_query(request)})
    return {**context, "dynamodb:LeadingKeys": keys} if keys else context


def _keys_of_items(node):
    """Partition keys of every Key, Keys and Item in the request, single, batch or transaction."""
    if isinstance(node, list):
        for each in node:
            yield from _keys_of_items(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            for item in value if name == "Keys" and isinstance(value, list) else [value]:
                if name in ("Key", "Keys", "Item") and isinstance(item, dict) and _PARTITION_KEY in item:
                    yield item[_PARTITION_KEY].get("S", "")
            if name not in ("Key", "Keys", "Item"):
                yield from _keys_of_items(value)


def _keys_of_query(request):
    condition = request.get("KeyConditionExpression") or ""
    names = request.get("ExpressionAttributeNames") or {}
    values = request.get("ExpressionAttributeValues") or {}
    for name, placeholder in re.findall(r"([\w#]+)\s*=\s*(:\w+)", condition):
        if names.get(name, name) == _PARTITION_KEY:
            yield values.get(placeholder, {}).get("S", "")


def _with_its_condition(action, query, path, headers):
    context = _object_context(action, query, path, headers)
    condition = headers.get("if-none-match")
    return {**context, "s3:if-none-match": condition} if action == "s3:PutObject" and condition else context


def _with_a_number(source, *rest):
    scaling = source.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return _concurrency(source, *rest)


if __name__ == "__main__":
    atexit.register(processes.end_children)
    ministack.app = _behind_tls
    iam_actions.dynamodb_service_context = _with_leading_keys
    iam_actions._s3_object_context = _with_its_condition
    lambda_svc._sqs_esm_concurrency = _with_a_number
    ministack.main()
