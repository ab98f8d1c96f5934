"""Files: each row took effect once or is in a reject file once, each run has come to its end, each file is acknowledged once."""

from .. import demo_check, demo_devices
from ..demo_files import ACKS, EXTRACT, INBOXES, OUTCOME, RESERVATION, SCORES
from ..demo_world import rows_of
from .files import REFUSAL

ACKNOWLEDGED = (RESERVATION, OUTCOME)
"""The flows whose files are acknowledged to the DERMS."""


def compare(comparison, world, book, ledger):
    """Everything about files; gives the ids of the sync requests that went that way."""
    stories = []
    for story in book.files:
        story.run = ledger.runs.get(story.flow, {}).get(story.dropped.run_id)
        comparison.same("ledger: files", f"{story.flow} {story.name} has a run", True, story.run is not None)
        if story.run:
            stories.append(story)
    for story in stories:
        demo_check.run(comparison, story)
        comparison.same("ledger: files", f"{story.flow} {story.name} lease", None, story.run.get("lease"))
        demo_check.reject_files(comparison, world, story)
    _only_these(comparison, world, book, ledger)
    for output in sorted(set(INBOXES.values())):
        _inbox(comparison, world, output, [story for story in stories if INBOXES.get(story.flow) == output])
    dacs, derms = world.sandbox("dacs"), world.sandbox("derms")
    _scores(comparison, world.sandbox("derms/scores"), [story for story in stories if story.flow == SCORES])
    _devices(comparison, dacs["participations"], stories)
    _acknowledged(comparison, derms["acks"], [story for story in stories if story.flow in ACKNOWLEDGED])
    return _analyzed(comparison, dacs["syncRequests"], stories)


def _only_these(comparison, world, book, ledger):
    """No run and no reject file but those of the files that were sent."""
    sent = sorted(f"{story.flow} {story.dropped.run_id}" for story in book.files)
    comparison.same("ledger: files", "runs", sent, sorted(f"{flow} {run}" for flow, runs in ledger.runs.items() for run in runs))
    ends = (".rows.csv", ".reasons.csv")
    wanted = sum(len(ends) for story in book.files if story.rejected)
    comparison.same("reject files", "all", wanted, sum(key.endswith(ends) for key in world.keys("RejectsBucket")))


def _inbox(comparison, world, output, stories):
    """Each file once, whole, and nothing else."""
    subject = demo_check.subject_of(output)
    stories = [story for story in stories if story.delivered]
    pages = world.s3.get_paginator("list_object_versions").paginate(Bucket=world.outputs[output])
    versions = [each["Key"] for page in pages for each in page.get("Versions", [])]
    comparison.same(subject, "files, each in one version", sorted(story.inbox for story in stories), sorted(versions))
    for story in stories:
        if story.inbox in versions:
            demo_check.in_inbox(comparison, world, output, story)


def _scores(comparison, books, stories):
    """Each set counted, each part of it once; each row is there as it was sent."""
    subject, wanted = "DERMS: scores", {}
    comparison.same(subject, "sets", sorted(story.run["id"] for story in stories if story.delivered), sorted(books["sets"]))
    for story in stories:
        held = books["sets"].get(story.run["id"])
        if held:
            comparison.same(subject, f"{story.name} rows", len(story.delivered), held["digest"]["rows"])
            comparison.same(subject, f"{story.name} counts, not early", (True, False), (held["counted"] is not None, held["lastCameEarly"]))
            comparison.same(subject, f"{story.name} effects", {1}, {part["effects"] for part in held["parts"].values()})
        for row in story.delivered:
            wanted[row["nicId"]] = {name: value for name, value in row.items() if value} | {"scoreFileId": story.run["id"]}
    held = {row["nicId"]: {name: value for name, value in row.items() if value is not None} for row in books["latest"]}
    comparison.same(subject, "devices", sorted(wanted), sorted(held))
    for nic, row in wanted.items():
        comparison.same(subject, nic, row, held.get(nic))


def _devices(comparison, books, stories):
    """Every valid device is reserved for its stage, every outcome told, each once."""
    subject, reserved, outcomes = "DACS: devices", {}, {}
    for story in stories:
        for row in story.delivered if story.flow == RESERVATION else []:
            reserved.setdefault(story.name.removeprefix("RES-").removesuffix(".csv"), set()).add(f"{row['headEndSystemId']}/{row['nicId']}")
        for row in story.delivered if story.flow == OUTCOME else []:
            outcomes[row["stageId"], f"{row['headEndSystemId']}/{row['nicId']}"] = demo_devices.as_instants(demo_devices.as_dacs_is_told(row))
    comparison.same(subject, "stages with reservations", sorted(reserved), sorted(books["reservations"]))
    for stage, devices in reserved.items():
        comparison.same(subject, f"reserved for {stage}", sorted(devices), sorted(books["reservations"].get(stage, [])))
    there = {(stage, device): each["body"] for stage, devices in books["outcomes"].items() for device, each in devices.items()}
    comparison.same(subject, "outcomes", sorted(outcomes), sorted(there))
    for key, outcome in outcomes.items():
        comparison.same(subject, f"outcome of {' '.join(key)}", outcome, demo_devices.as_instants(there.get(key, {})))
    comparison.same(subject, "effects", sum(map(len, reserved.values())) + len(outcomes), books["effects"])


def _acknowledged(comparison, acks, stories):
    """One acknowledgement of each file, with its counts and the records that failed."""
    subject = "DERMS: acknowledgements"
    for story in stories:
        book = acks.get(story.name.removesuffix(".csv"), {"effects": 0, "history": []})
        comparison.same(subject, f"{story.name} effects", 1, book["effects"])
        for entry in book["history"]:
            ack = entry["body"]["MsgAck"]
            first, *records = ack["responses"]["response"]
            counts = f"delivered={len(story.delivered)};failed={len(story.rejected)}"
            comparison.same(subject, f"{story.name} counts", counts, first["value"])
            comparison.same(subject, f"{story.name} type", "ERROR" if story.rejected else "SUCCESS", ack["ackType"])
            failed = sum(each["responseCode"] != "SUCCESS" for each in records)
            comparison.same(subject, f"{story.name} failed", len(story.rejected), failed)


def _analyzed(comparison, requests, stories):
    """The sync requests of extracts: as OUAI has acknowledged them, or in Error where their row was bad. Gives their ids."""
    wanted, subject = {}, "DACS: sync requests"
    for story in stories:
        if story.flow == EXTRACT:
            header, rows = rows_of(story.body)
            bad = {line for line, _, _ in story.rejected}
            for line, fields in rows:
                wanted[fields[header.index("syncRequestId")]] = ("Error", "servicePointId: is empty") if line in bad else ("sent", None)
    for story in stories:
        for row in story.delivered if story.flow == ACKS else []:
            wanted[row["syncRequestId"]] = ("Error", REFUSAL[2]) if row["status"] == "ERROR" else ("Synchronized", None)
    for sync_id, (state, comment) in wanted.items():
        request = requests.get(sync_id, {"state": None, "effects": 0, "history": []})
        comparison.same(subject, f"{sync_id} state", state, request["state"])
        comparison.same(subject, f"{sync_id} effects", 0 if state == "sent" else 1, request["effects"])
        if comment:
            exceptions = (request["history"] or [{}])[-1].get("body", {}).get("exceptionInfo") or [{}]
            comparison.same(subject, f"{sync_id} comment", comment, exceptions[-1].get("comments"))
    return set(wanted)
