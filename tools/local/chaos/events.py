"""Events: what the DERMS says of their stages, the devices that it reserves for one stage, and what those of another did.

Each event has two stages. The first is brought to its end, and the file with its outcomes comes before that. The second stays
Scheduled: devices are reserved for it. Nobody waits for anything: what came too early must wait by itself."""

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ..demo_files import OUAI_OUTCOME, OUTCOME, RESERVATION, valued
from ..demo_stages import FLOW, ROUTE
from .senders import Message, Sender

STATES = {"SCHEDULED": "Scheduled", "IN_PROGRESS": "In Progress", "COMPLETED": "Completed", "CANCELED": "Canceled"}
OUTCOME_HEADER = (
    "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,servicePointId,headEndSystemId,nicId,outcome,"
    "participationStartDateTime,participationEndDateTime\n"
)


def lane():
    """The lane of events, as those of messages and files are."""
    return FLOW, 7.0, _event


def _event(sender: Sender, n, rng):
    event, start = f"EV-C{n:03}", datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=2)
    first, second = f"{event}-1", f"{event}-2"
    steps = rng.choice((["SCHEDULED", "IN_PROGRESS", "COMPLETED"], ["SCHEDULED", "CANCELED"]))
    times = {stage: (start + timedelta(hours=2 * place), start + timedelta(hours=2 * place + 1)) for place, stage in enumerate((first, second))}
    told = [{first: "SCHEDULED", second: "SCHEDULED"}, *({first: step} for step in steps[1:])]
    if len(told) > 2 and rng.random() < 0.3:
        told[0], told[1] = told[1], told[0]
    sender.book.stages |= {first: [STATES[step] for step in steps], second: [STATES["SCHEDULED"]]}
    for place, statuses in enumerate(told):
        _say(sender, f"{event}-M{place}", event, times, statuses)
        if place == 0:
            _reserve(sender, event, second, times[second], rng)
        if place == len(told) - 2:
            _report(sender, event, first, times[first], rng)
        time.sleep(rng.uniform(0.0, 1.0))


def _say(sender, name, event, times, statuses):
    stages = [
        {"stageId": stage, "programCode": "SUMMER-T", "status": status,
         "startDateTime": times[stage][0].isoformat(), "endDateTime": times[stage][1].isoformat()}
        for stage, status in statuses.items()
    ]
    body = {"messageId": name, "drmsInstanceId": "DERMS-1", "eventId": event, "eventType": "ECONOMIC", "stages": stages}
    sender.post(Message(FLOW, name, body), ROUTE, "derms")


def _reserve(sender, event, stage, times, rng):
    """Posted or dropped: the envelope is the form's JSON part or the object's metadata."""
    name, rows = f"RES-{stage}", [f"{row},nic-{stage}-{row},HES-NORTH\n" for row in range(1, rng.randint(5, 60))]
    faults = []
    if rng.random() < 0.5:
        rows.append(f"{len(rows) + 1},,HES-NORTH\n")
        faults = [(len(rows) + 1, "nicId", "is empty")]
    body = ("recordId,nicId,headEndSystemId\n" + "".join(rows)).encode()
    story = valued("reservation", RESERVATION, f"{name}.csv", body, faults)
    envelope = {"drmsInstanceId": "DERMS-1", "messageId": name, "eventId": event, "stageId": stage,
                "eventStartDateTime": times[0].isoformat(), "eventEndDateTime": times[1].isoformat()}
    if rng.random() < 0.5:
        sender.offer(story, envelope)
    else:
        story.envelope = {_kebab(member): value for member, value in envelope.items()}
        sender.drop(story)


def _report(sender, event, stage, times, rng):
    """What the devices of a stage did; the same file goes to OUAI."""
    name, text = f"OUT-{stage}", OUTCOME_HEADER
    start, end = (each.isoformat() for each in times)
    count = rng.randint(5, 60)
    for row in range(1, count + 1):
        outcome = rng.choice(("SUCCESS", "OVERRIDE", "NON_RESPONSIVE", "CANCELED"))
        part = f"{start},{end}" if outcome in ("SUCCESS", "OVERRIDE") else ","
        text += f"{row},{event},ECONOMIC,{stage},{start},{end},90000001,SUMMER-T,SP-{stage}-{row},HES-NORTH,nic-{stage}-{row},{outcome},{part}\n"
    faults = []
    if rng.random() < 0.5:
        text += f"{count + 1},{event},ECONOMIC,{stage},{start},{end},90000001,SUMMER-T,SP-{stage},HES-NORTH,nic-{stage}-x,ASLEEP,,\n"
        faults = [(count + 2, "outcome", "OutcomeCode")]
    to_dacs = valued("outcomes", OUTCOME, f"{name}.csv", text.encode(), faults)
    if rng.random() < 0.5:
        sender.offer(to_dacs, {"drmsInstanceId": "DERMS-1", "messageId": name})
    else:
        to_dacs.envelope = {"drms-instance-id": "DERMS-1", "message-id": name}
        sender.drop(to_dacs)
    to_ouai = valued("outcomes, to OUAI", OUAI_OUTCOME, f"{name}.csv", text.encode(), faults, same_bytes=not faults)
    to_ouai.dropped = replace(to_dacs.dropped, flow=OUAI_OUTCOME)
    sender.book.files.append(to_ouai)


def _kebab(member):
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in member)
