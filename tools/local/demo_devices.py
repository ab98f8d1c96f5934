"""The demo's devices in stages: one file that reserves them, one of what they did, which two flows take at once."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from .demo_files import OUAI_OUTCOME, OUTCOME, RESERVATION, valued
from .demo_world import World, example

STAGES = ["4011-1", "4011-2"]
CODES = {"SUCCESS": "D1SP", "OVERRIDE": "D1IO", "NON_RESPONSIVE": "D1ND", "ERROR": "D1ER", "REJECTED": "D1ER", "CANCELED": "D1CN"}
LONGEST_ERROR = 100
TIMES = ("participationStartDateTime", "participationEndDateTime")


def reserved(world: World):
    """Devices of a stage that DACS has Scheduled; one row names no device."""
    world.sandbox("dacs/program-events", {"stages": STAGES})
    start = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    times = {"event-start-date-time": start.isoformat(), "event-end-date-time": (start + timedelta(hours=2)).isoformat()}
    ids = {"drms-instance-id": "DRMS-1", "message-id": "RES-0701", "event-id": "4011", "stage-id": STAGES[0]}
    body = example(RESERVATION, "valid-reservation.csv").replace(b"2026-07-01T14:15:00-04:00,2026-07-01T15:45:00-04:00", b",")
    body += b"4,,ACME-HES,,\n"
    story = valued("reserved devices, one row bad", RESERVATION, "RES_0701.csv", body, [(5, "nicId", "is empty")])
    story.envelope = ids | times
    return story


def outcomes():
    """What two devices at one service point did in two stages; one row has an outcome that nobody knows."""
    body = example(OUTCOME, "valid-two-devices-of-one-service-point-in-two-stages.csv")
    lines = body.splitlines(keepends=True)
    bad = lines[2].replace(b"2,4011", b"3,4011", 1).replace(b",OVERRIDE,", b",ASLEEP,", 1)
    fault = (4, "outcome", "OutcomeCode")
    to_dacs = valued("outcomes of two stages, one row bad", OUTCOME, "OUT_0701.csv", body + bad, [fault])
    to_dacs.envelope = {"message-id": "OUT-0701"}
    to_ouai = valued("the same file, towards OUAI", OUAI_OUTCOME, "OUT_0701.csv", body + bad, [fault])
    return to_dacs, to_ouai


def play_same(world, story, other):
    """`story` is what a second flow makes of the file that `other` dropped."""
    story.dropped = replace(other.dropped, flow=story.flow)
    story.run = world.settled_run(story.dropped)
    counts = story.run["counts"]
    return f"delivered: {counts['delivered']} rows, {counts['rejected']} rejected"


def compare(comparison, told):
    """Reservations, outcomes and acknowledgements, by the neighbours' books."""
    stories = {story.flow: story for story in told.files}
    dacs, derms = told.world.sandbox("dacs")["participations"], told.world.sandbox("derms")["acks"]
    subject = "DACS: devices"
    wanted = sorted(f"{row['headEndSystemId']}/{row['nicId']}" for row in stories[RESERVATION].delivered)
    comparison.same(subject, "stages with reservations", [STAGES[0]], sorted(dacs["reservations"]))
    comparison.same(subject, "reserved", wanted, sorted(dacs["reservations"].get(STAGES[0], [])))
    for row in stories[OUTCOME].delivered:
        there = dacs["outcomes"].get(row["stageId"], {}).get(f"{row['headEndSystemId']}/{row['nicId']}", {}).get("body", {})
        comparison.same_fields(subject, f"outcome of {row['nicId']}", as_instants(as_dacs_is_told(row)), as_instants(there))
    for flow, record in ((RESERVATION, "4"), (OUTCOME, "3")):
        _acknowledged(comparison, stories[flow], record, derms)


def as_dacs_is_told(row):
    """What DACS must be told of the outcome in this row."""
    said = {"eventExternalIdentifier": row["stageId"], "headEndSystem": row["headEndSystemId"], "nicId": row["nicId"]}
    said["outcome"] = CODES[row["outcome"]]
    if row["outcome"] != "SUCCESS" and row.get("errorMessage"):
        said["errorMessage"] = row["errorMessage"][:LONGEST_ERROR]
    return said | {name: row[name] for name in TIMES if row[name]}


def as_instants(record):
    """Times as instants: they reach DACS in UTC."""
    return {name: datetime.fromisoformat(value.replace("Z", "+00:00")) if name in TIMES else value for name, value in record.items()}


def _acknowledged(comparison, story, failed, books):
    """The one acknowledgement of a file: its counts, and the record that failed."""
    subject, about = "DERMS: acknowledgements", story.envelope["message-id"]
    book = books.get(about, {"effects": 0, "history": []})
    comparison.same(subject, f"{about} effects", 1, book["effects"])
    for entry in book["history"]:
        ack = entry["body"]["MsgAck"]
        first, *records = ack["responses"]["response"]
        comparison.same(subject, f"{about} type", "ERROR", ack["ackType"])
        comparison.same(subject, f"{about} counts", f"delivered={len(story.delivered)};failed={len(story.rejected)}", first["value"])
        comparison.same(subject, f"{about} records", story.rows, len(records))
        comparison.same(subject, f"{about} failed", [failed], [each["id"] for each in records if each["responseCode"] != "SUCCESS"])
