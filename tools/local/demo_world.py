"""What the demo sees and touches: buckets, queues, ledger and API as their users do, and the neighbours' own books."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from . import callers, platform, state
from .progress import Failed

PATIENCE = 60.0
OPEN_RUN = ("Waiting", "Working")


@dataclass(frozen=True)
class Dropped:
    """One version of a file in an outbox."""

    flow: str
    bucket: str
    key: str
    version: str

    @property
    def run_id(self):
        """How the ledger names the run over it: 20 digits of SHA-256 over flow, bucket, key and version."""
        text = "".join(part + "\0" for part in (self.flow, self.bucket, self.key, self.version))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @property
    def address(self):
        """Where it is, as a person writes it."""
        return f"s3://{self.bucket}/{self.key}"


class World:
    """The running platform."""

    def __init__(self, facts):
        self.facts = facts
        self.outputs = facts["outputs"]
        self.s3 = platform.client(facts, "s3")
        self.sqs = platform.client(facts, "sqs")
        self.ledger = platform.client(facts, "dynamodb")
        self.tokens = {sender: callers.token(facts, sender) for sender in ("dacs", "derms")}
        self.mailbox = self._subscribe()

    def drop(self, flow, name, body, **metadata):
        """Puts a file into the outbox where the flow takes it."""
        source, _, subject = flow.split("-", 2)
        bucket, key = self.outputs[f"{source.capitalize()}OutboxBucket"], f"{subject}/{name}"
        put = self.s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
        return Dropped(flow, bucket, key, put["VersionId"])

    def settled_run(self, dropped):
        """The run over a file, once nothing more happens to it by itself."""
        partition = f"{dropped.flow}#run#{dropped.run_id}"
        return self.until(
            f"the run over {dropped.address} to end",
            lambda: (run := self.item(partition, "run")) and run["state"] not in OPEN_RUN and run,
        )

    def delivered_run(self, dropped):
        """The run over a file of which every row must be delivered."""
        run = self.settled_run(dropped)
        if run["state"] != "Delivered" or run["counts"]["rejected"]:
            raise Failed(f"{dropped.address} was not delivered whole by {dropped.flow}: {run['state']}, {run['reason']}, {run['counts']}")
        return run

    def decide(self, verb, dropped):
        """What a person decides about a held run."""
        self.operate(verb, dropped.run_id, dropped.flow)
        partition = f"{dropped.flow}#run#{dropped.run_id}"
        return self.until(
            f"the decision about {dropped.address} to take effect",
            lambda: (run := self.item(partition, "run")) and run["state"] not in (*OPEN_RUN, "Held") and run,
        )

    def operate(self, verb, about, flow=None):
        """What a person does with the operator's tool."""
        binary = Path(os.environ.get("CARGO_TARGET_DIR", state.ROOT / "target")) / "debug" / "operator"
        flows = ["--flow", flow] if flow else []
        argv = [str(binary), "--stack", self.facts["stack"], *flows, verb, about]
        done = subprocess.run(argv, env=platform.environment(self.facts), capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"`operator {verb}` failed: {done.stderr.strip()}")

    def announce(self, dropped):
        """S3 may tell of one object more than once: the same event again. Gives the queue."""
        event = {
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": self.facts["region"],
            "s3": {"bucket": {"name": dropped.bucket}, "object": {"key": dropped.key, "versionId": dropped.version, "sequencer": "00"}},
        }
        queue = self.sqs.get_queue_url(QueueName=self.facts["functions"][dropped.flow])["QueueUrl"]
        self.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [event]}))
        return queue

    def announce_again(self, dropped):
        """The same event again, and the time until its queue is empty."""
        queue = self.announce(dropped)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def is_empty():
            counts = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
            return all(counts[name] == "0" for name in names)

        self.until("the repeated event to be dealt with", is_empty)

    def post(self, route, body, token=None):
        """A call of the API: status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return _call(urllib.request.Request(self.facts["apiUrl"] + route, data, headers))

    def post_file(self, flow, envelope, body):
        """Posts a file with its envelope, as the DERMS may do instead of dropping it."""
        status, answer = self.offer_file(flow, envelope, body)
        if status != 202:
            raise Failed(f"A file for {flow} was answered {status}: {answer}")
        return self.offered(flow, envelope)

    def offer_file(self, flow, envelope, body):
        """The same: status and answer, whatever they are."""
        mark = "a-line-that-no-file-has"
        parts = [("envelope", "application/json", json.dumps(envelope).encode()), ("file", "text/csv", body)]
        form = b"".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode() + content + b"\r\n"
            for name, kind, content in parts
        ) + f"--{mark}--\r\n".encode()
        subject = flow.split("-", 2)[2]
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}", "Authorization": f"Bearer {self.tokens['derms']}"}
        return _call(urllib.request.Request(f"{self.facts['apiUrl']}/v1/derms/{subject}", form, headers))

    def offered(self, flow, envelope):
        """Where a file that was posted and taken is."""
        bucket, key = self.outputs["DermsOutboxBucket"], f"{flow.split('-', 2)[2]}/{envelope['messageId']}.csv"
        return Dropped(flow, bucket, key, self.s3.head_object(Bucket=bucket, Key=key)["VersionId"])

    def call_dacs(self, path, body):
        """A call of DACS by somebody else than the platform."""
        dacs = self.facts["neighbours"]["dacs"]
        secret = dacs["secret"]
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": secret["scope"]}).encode()
        login = base64.b64encode(f"{secret['clientId']}:{secret['clientSecret']}".encode()).decode()
        _, token = _call(urllib.request.Request(secret["tokenUrl"], form, {"Authorization": f"Basic {login}"}))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token['access_token']}"}
        status, answer = _call(urllib.request.Request(dacs["url"] + path, json.dumps(body).encode(), headers))
        if status != 200:
            raise Failed(f"DACS answered {status}: {answer}")
        return answer

    def ended_message(self, flow, key, attempt=1):
        """A message of the ledger, once this attempt has come to its end."""
        def look():
            message = self.item(f"{flow}#message#{key}", "message")
            return message and message["attempt"] >= attempt and message["state"] != "Accepted" and message

        return self.until(f"message {key} of {flow} to end", look)

    def item(self, partition, sort):
        """An item of the ledger, or None."""
        key = {"pk": {"S": partition}, "sk": {"S": sort}}
        found = self.ledger.get_item(TableName=self.outputs["LedgerTableName"], Key=key, ConsistentRead=True).get("Item")
        return json.loads(found["body"]["S"]) if found else None

    def set_lookup(self, name, text):
        """A new version of a lookup. Running instances take it within a minute."""
        self.s3.put_object(Bucket=self.outputs["ConfigBucket"], Key=f"lookups/{name}.csv", Body=text.encode())

    def sandbox(self, path, body=None, method=None):
        """The neighbours' books (GET), or what they are told to do."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        url = f"{self.facts['neighbours']['sandbox']['url']}/control/{path}"
        status, answer = _call(urllib.request.Request(url, data, headers, method=method))
        if status != 200:
            raise Failed(f"The sandbox answered {status} to {path}: {answer}")
        return answer

    def keys(self, output):
        """The objects of a bucket, by the name of its output."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.outputs[output])
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def read(self, output, key):
        """An object's bytes and metadata."""
        got = self.s3.get_object(Bucket=self.outputs[output], Key=key)
        return got["Body"].read(), got["Metadata"]

    def notices(self):
        """All that people have been told since the last time this was asked: (audience, subject, text)."""
        told = []
        while got := self.sqs.receive_message(QueueUrl=self.mailbox, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
            for each in got:
                notice = json.loads(each["Body"])
                audience = "technical" if notice["TopicArn"] == self.outputs["TechnicalTopicArn"] else "business"
                told.append((audience, notice["Subject"], notice["Message"]))
                self.sqs.delete_message(QueueUrl=self.mailbox, ReceiptHandle=each["ReceiptHandle"])
        return told

    def until(self, what, look, patience=PATIENCE):
        """Waits for `look` to give something true, and gives it."""
        end = time.monotonic() + patience
        while not (found := look()):
            if time.monotonic() > end:
                raise Failed(f"Waited {patience:.0f} s in vain for {what}. Logs are in .local/.")
            time.sleep(0.1)
        return found

    def _subscribe(self):
        """A queue that gets what goes to both topics, as a mailbox would."""
        queue = self.sqs.create_queue(QueueName="demo-mailbox")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        sns = platform.client(self.facts, "sns")
        for output in ("TechnicalTopicArn", "BusinessTopicArn"):
            sns.subscribe(TopicArn=self.outputs[output], Protocol="sqs", Endpoint=arn)
        return queue


def example(flow, name):
    """The bytes of an example of `events/`."""
    return (state.ROOT / "events" / flow / "examples" / name).read_bytes()


def expected(flow, name):
    """The places at which an example is refused, as `expected.csv` lists them."""
    with open(state.ROOT / "events" / flow / "examples" / "expected.csv", newline="") as text:
        return [each for each in csv.DictReader(text) if each["file"] == name]


def rows_of(body, delimiter=","):
    """(line, fields) of each record after the header, and the header: read here, by none of the platform's code."""
    reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=delimiter)
    header, rows, line = next(reader), [], reader.line_num + 1
    for fields in reader:
        if fields:
            rows.append((line, fields))
        line = reader.line_num + 1
    return header, rows


def records(body):
    """The records of a file, by column."""
    return list(csv.DictReader(io.StringIO(body.decode())))


def _call(request):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        text = refused.read()
        try:
            return refused.code, json.loads(text)
        except ValueError:
            return refused.code, {"message": text.decode(errors="replace")}
