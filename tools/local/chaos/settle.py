"""When all is quiet: nothing in a queue, no message and no run unfinished, nobody who still has something to say."""

import json
import time
from collections import Counter

from ..demo_world import OPEN_RUN, World

COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]


class Ledger:
    """All messages, runs and open matters of the ledger, by flow."""

    def __init__(self, world: World):
        self.messages, self.runs, self.open = {}, {}, {}
        pages = world.ledger.get_paginator("scan").paginate(TableName=world.outputs["LedgerTableName"], ConsistentRead=True)
        for item in (each for page in pages for each in page["Items"]):
            flow, _, rest = item["pk"]["S"].partition("#")
            kind, _, name = rest.partition("#")
            if kind in ("message", "run") and item["sk"]["S"] == kind:
                into = self.messages if kind == "message" else self.runs
                into.setdefault(flow, {})[name] = json.loads(item["body"]["S"])
            elif kind == "open":
                self.open.setdefault(flow, set()).add(json.loads(item["body"]["S"])["id"])

    def unfinished(self):
        """How many messages and runs have not come to an end, by flow."""
        left = Counter()
        for flow, messages in self.messages.items():
            left[flow] += sum(each["state"] == "Accepted" for each in messages.values())
        for flow, runs in self.runs.items():
            left[flow] += sum(each["state"] in OPEN_RUN for each in runs.values())
        return +left


def queued(world: World):
    """How many messages are in each queue of the stack, seen or not; queues without any are left out."""
    found = Counter()
    for url in world.sqs.list_queues(QueueNamePrefix=f"{world.facts['stack']}-").get("QueueUrls", []):
        counts = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        found[url.rpartition("/")[2].removeprefix(f"{world.facts['stack']}-")] = sum(int(counts[name]) for name in COUNTS)
    return +found


def settle(world: World, waiting, patience):
    """Waits until all is quiet, or patience ends, and says every ten seconds for what; gives the ledger, and what is left."""
    begun, shown = time.monotonic(), 0.0
    while True:
        queues, others, ledger = queued(world), waiting(), Ledger(world)
        left = {"queues": dict(queues), "unfinished": dict(ledger.unfinished()), "answers to come": others}
        left = {name: each for name, each in left.items() if each}
        took = time.monotonic() - begun
        if not left or took > patience:
            print(f"  {took:4.0f} s  " + ("quiet" if not left else f"still not quiet: {left}"), flush=True)
            return ledger, left
        if took - shown >= 10:
            shown = took
            print(f"  {took:4.0f} s  {sum(queues.values())} messages in {len(queues)} queues, {sum(ledger.unfinished().values())} messages and "
                  f"runs unfinished, {others} answers to come", flush=True)
        time.sleep(2)
