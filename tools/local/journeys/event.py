"""Scores and a forecast; an event of three stages, of which one is canceled; what its devices did."""

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ..demo_devices import CODES
from ..demo_files import FORECAST, OUAI_OUTCOME, OUTCOME, RESERVATION, SCORE_HEADER, SCORES
from ..demo_world import World, records
from ..progress import Failed, step
from .agreement import Agreement

EVENT = "EV-J1"
STATUS = "derms-dacs-event-status"
LAST = {1: "COMPLETED", 2: "COMPLETED", 3: "CANCELED"}
"""By stage: how it ends."""
STATES = {"COMPLETED": "Completed", "CANCELED": "Canceled"}
OUTCOME_COLUMNS = (
    "recordId", "eventId", "eventType", "stageId", "stageStartDateTime", "stageEndDateTime", "programId", "programCode", "servicePointId",
    "headEndSystemId", "nicId", "outcome", "participationStartDateTime", "participationEndDateTime",
)


def play(world: World, subscriptions):
    """The journey; gives the agreement, and the key of the outcomes for the next one."""
    (first, _, third), begin = subscriptions, datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=1)
    guest = (first.service_point, first.devices[-1][1])
    one, two, three = ((third.service_point, nic) for _, nic, _ in third.devices)
    times = {stage: (begin + timedelta(hours=4 * stage), begin + timedelta(hours=4 * stage + 1)) for stage in LAST}
    with step("scores and the forecast") as running:
        _publish(world, (guest, one, two, three))
        running.note = "at the DERMS"
    with step("an event of three stages") as running:
        _say(world, "M1", times, {stage: "SCHEDULED" for stage in LAST})
        running.note = "scheduled"
    with step("devices reserved, one opts out") as running:
        for stage, devices in {1: [one], 2: [two, guest], 3: [three]}.items():
            _reserve(world, stage, times[stage], devices)
        _withdraw(world, guest[1], one[1])
        running.note = "files posted; devices of one service point in several stages"
    with step("it runs; one stage is canceled") as running:
        _say(world, "M2", times, {1: "IN_PROGRESS"})
        _say(world, "M3", times, {3: "CANCELED"})
        _say(world, "M4", times, {2: "IN_PROGRESS"})
        running.note = "in progress"
    with step("outcomes; then, late, that it is over") as running:
        did = [(1, one, "SUCCESS"), (2, two, "OVERRIDE"), (2, guest, "CANCELED"), (3, three, "CANCELED")]
        outcomes = _report(world, times, did)
        running.note = "held back from DACS until then, not from OUAI"
    return _agreement(world, outcomes, guest[1]), outcomes


def _publish(world, devices):
    """DACS's scores to the DERMS, OUAI's forecast into its inbox."""
    scores = "".join(f"D-J{place},HES-NORTH,{nic},SUMMER-T,{place}.50,Y,2026-07-01T05:00:00-04:00,,,,,\n" for place, (_, nic) in enumerate(devices))
    world.delivered_run(world.drop(SCORES, "SDCSE_J1.csv", (SCORE_HEADER + scores).encode()))
    header = "SPId,ProgramId,ForecastCreatedTime,ForecastStartTime,ForecastEndTime,IntervalSize(Seconds),LoadReductionKw1,LoadReductionKw2\n"
    times = "2026-06-30T20:00:00-05:00,2026-07-01T00:00:00-05:00,2026-07-01T02:00:00-05:00,3600"
    rows = "".join(f"{place},90000001,{times},1.20,-0.40\n" for place in sorted({place for place, _ in devices}))
    world.delivered_run(world.drop(FORECAST, "F_J1.csv", (header + rows).encode()))


def _say(world, message, times, statuses):
    """The DERMS tells where stages are, and hears that DACS has them there."""
    stages = [
        {"stageId": _stage(stage), "programCode": "SUMMER-T", "status": status,
         "startDateTime": times[stage][0].isoformat(), "endDateTime": times[stage][1].isoformat()}
        for stage, status in statuses.items()
    ]
    name = f"{EVENT}-{message}"
    body = {"messageId": name, "drmsInstanceId": "DERMS-1", "eventId": EVENT, "eventType": "ECONOMIC", "stages": stages}
    status, said = world.post("/v1/derms/event-status", body, world.tokens["derms"])
    if status != 202:
        raise Failed(f"{name} was answered {status}: {said}")
    ended = world.ended_message(STATUS, name)
    if ended["state"] != "Delivered":
        raise Failed(f"{name} ended as {ended['state']}: {ended['reason']}")


def _reserve(world, stage, times, devices):
    """The devices of a stage, posted by the DERMS."""
    envelope = {"drmsInstanceId": "DERMS-1", "messageId": f"RES-{_stage(stage)}", "eventId": EVENT, "stageId": _stage(stage),
                "eventStartDateTime": times[0].isoformat(), "eventEndDateTime": times[1].isoformat()}
    rows = "".join(f"{place},{nic},HES-NORTH\n" for place, (_, nic) in enumerate(devices, 1))
    world.delivered_run(world.post_file(RESERVATION, envelope, f"recordId,nicId,headEndSystemId\n{rows}".encode()))


def _withdraw(world, opted_out, away):
    """One customer does not want the second stage; another one is away next week."""
    opt_out = {"communicationId": "OPT-J1", "eventExternalIdentifier": EVENT, "externalIdentifier": _stage(2), "headEndSystem": "HES-NORTH",
               "nicId": opted_out, "optOutDateTime": "2026-07-01T09:12:00-05:00", "reason": "guests"}
    absence = {"communicationId": "AWAY-J1", "unavailabilityId": "U-J1", "action": "ADD", "headEndSystem": "HES-NORTH", "nicId": away,
               "startDateTime": "2026-07-10T00:00:00-05:00", "endDateTime": "2026-07-20T00:00:00-05:00", "reason": "on holiday"}
    for flow, body in (("event-opt-out", opt_out), ("customer-unavailability", absence)):
        status, said = world.post(f"/v1/dacs/{flow}", body, world.tokens["dacs"])
        if status != 202:
            raise Failed(f"{flow} was answered {status}: {said}")
        world.ended_message(f"dacs-derms-{flow}", said["messageKey"])


def _report(world, times, did):
    """One file of all stages: at OUAI at once, at DACS when the last of its stages is over."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(OUTCOME_COLUMNS)
    for place, (stage, (service_point, nic), outcome) in enumerate(did, 1):
        start, end = (each.isoformat() for each in times[stage])
        part = (start, end) if outcome in ("SUCCESS", "OVERRIDE") else ("", "")
        rows.writerow([place, EVENT, "ECONOMIC", _stage(stage), start, end, "90000001", "SUMMER-T", service_point, "HES-NORTH", nic, outcome, *part])
    dropped = world.drop(OUTCOME, "OUT_J1.csv", text.getvalue().encode(), **{"message-id": "OUT-J1"})
    world.delivered_run(replace(dropped, flow=OUAI_OUTCOME))
    _say(world, "M5", times, {1: "COMPLETED", 2: "COMPLETED"})
    world.delivered_run(dropped)
    return dropped.key


def _agreement(world, outcomes, opted_out):
    """What each system has of each stage, and of each device in each."""
    dacs, derms, agreement = world.sandbox("dacs"), world.sandbox("derms"), Agreement("event")
    words = {code: word for word, code in CODES.items() if word != "REJECTED"}
    for stage, last in LAST.items():
        event = dacs["programEvents"].get(_stage(stage), {})
        agreement.says(f"stage {_stage(stage)}", event.get("state"), STATES[last])
    reported = records(world.read("DermsOutboxBucket", outcomes)[0])
    analyzed = {(row["stageId"], row["nicId"]): row["outcome"] for row in records(world.read("OuaiInboxBucket", outcomes)[0])}
    for row in reported:
        stage, nic = row["stageId"], row["nicId"]
        device = f"HES-NORTH/{nic}"
        told = dacs["participations"]["outcomes"].get(stage, {}).get(device, {}).get("body", {}).get("outcome")
        reserved = device in dacs["participations"]["reservations"].get(stage, [])
        agreement.says(f"{nic} in {stage}", words.get(told) if reserved else "not reserved", row["outcome"], analyzed.get((stage, nic)))
    taken = derms["optOuts"]["messages"].get("OPT-J1", {"history": [{"body": {}}]})["history"][-1]["body"]
    agreement.says(f"opted out of {_stage(2)}", opted_out, taken.get("nicId"))
    away = derms["unavailabilities"]["latest"].get("U-J1", {}).get("body", {})
    agreement.says("U-J1 away until", "2026-07-20T05:00:00.000Z", away.get("endDateTimeISO"))
    _published(world, agreement)
    return agreement


def _published(world, agreement):
    """Scores as DACS published them and the DERMS holds them; forecasts as OUAI did and the DERMS finds them."""
    held = {row["nicId"]: row.get("score") for row in world.sandbox("derms/scores")["latest"]}
    for row in records(world.read("DacsOutboxBucket", "device-score/SDCSE_J1.csv")[0]):
        agreement.says(f"score of {row['nicId']}", row["score"], held.get(row["nicId"]))
    inbox = {row["SPId"]: row for row in records(world.read("DermsInboxBucket", "load-reduction-forecast/F_J1.csv")[0])}
    for row in records(world.read("OuaiOutboxBucket", "load-reduction-forecast/F_J1.csv")[0]):
        kept = inbox.get(row["SPId"], {})
        agreement.says(f"forecast of {row['SPId']}", derms=kept.get("LoadReductionKw1"), ouai=row["LoadReductionKw1"])


def _stage(number):
    return f"{EVENT}-{number}"
