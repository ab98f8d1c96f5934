"""Messages of all flows but those about stages: one lane per flow, in which one message is sent after the other."""

import json

from ..demo_messages import SYNC, SYNC_ROUTE, enrollment
from ..demo_world import example
from .senders import Message, Request, Sender

RULES, AGGREGATORS, CHECK = "dacs-derms-program-rules", "dacs-derms-aggregators", "dacs-derms-device-status-check"
OPT_OUT, AWAY = "dacs-derms-event-opt-out", "dacs-derms-customer-unavailability"
REQUESTS = "derms-dacs-enrollment-request"
SYNCHRONIZED = (SYNC, RULES, AGGREGATORS)
"""The flows whose end is a sync request of DACS."""
ERROR = "the DERMS does not want this one"
NOT_ELIGIBLE = "not eligible"


def lanes():
    """(flow, seconds between two messages, what sends the nth) of each flow."""
    return [
        (SYNC, 1.5, _enrollment), (RULES, 4.0, _rules), (AGGREGATORS, 4.0, _aggregator), (CHECK, 4.0, _check), (OPT_OUT, 4.0, _opt_out),
        (AWAY, 4.0, _unavailability), (REQUESTS, 4.0, _requests),
    ]


def _enrollment(sender: Sender, n, rng):
    place = rng.randrange(12)
    subscription, sync_id = f"S-C{place:02}", f"91{n:012}"
    devices = [f"DC{place:02}{number}" for number in range(rng.randint(1, 3))]
    body = enrollment(sync_id, subscription, f"SP-C{place:02}", devices, cisAccountId=f"A-C{n:05}")
    _synchronized(sender, Message(SYNC, sync_id, body, subscription), SYNC_ROUTE, rng)


def _rules(sender, n, rng):
    place, sync_id = rng.randrange(4), f"92{n:012}"
    ids = {"programId": f"9200000{place}", "programCode": f"CHAOS-{place}", "programExternalIdentifier": f"PRG-CHAOS-{place}"}
    body = _example(RULES, "valid-future-rule-beside-one-in-force.json") | ids | {"syncRequestId": sync_id, "programName": f"Version {n}"}
    _synchronized(sender, Message(RULES, sync_id, body, ids["programId"]), "/v1/dacs/program-rules", rng)


def _aggregator(sender, n, rng):
    place, sync_id = rng.randrange(4), f"93{n:012}"
    body = _example(AGGREGATORS, "valid-add.json") | {"syncRequestId": sync_id, "aggregatorId": f"AGG-C{place}", "name": f"Version {n}"}
    _synchronized(sender, Message(AGGREGATORS, sync_id, body, f"AGG-C{place}"), "/v1/dacs/aggregators", rng)


def _synchronized(sender, message, route, rng):
    """A message under a sync request: the DERMS takes it at once, later, or not at all."""
    message.answer = rng.choices(("positive", "error", "later"), (70, 10, 20))[0]
    if message.answer == "later":
        message.late = rng.choices(("positive", "error"), (70, 30))[0]
    _script(sender, message)
    sender.world.sandbox("dacs/sync-requests", {"ids": [message.id]})
    sender.post(message, route, "dacs")


def _script(sender, message):
    """The DERMS answers the message so, however often it is asked."""
    if message.answer != "positive":
        text = {"text": ERROR} if message.answer == "error" else {}
        sender.world.sandbox("derms/answers", {"answer": message.answer, "dacsMessageId": message.id} | text)


def _check(sender, n, rng):
    name, nic = f"CHECK-C{n:05}", f"nic-check-{rng.randrange(6)}"
    body = {"sendDetails": {"communicationId": name, "deviceInfo": {"division": "NORTH", "headEndSystem": "HES-NORTH", "nicid": nic}}}
    late = rng.choices(("positive", "error"), (70, 30))[0]
    sender.post(Message(CHECK, name, body, nic, late=late), "/v1/dacs/device-status-check", "dacs")


def _opt_out(sender, n, rng):
    name, nic = f"OPT-C{n:05}", f"nic-opt-{rng.randrange(6)}"
    body = {"communicationId": name, "eventExternalIdentifier": f"EV-OPT-{n}", "externalIdentifier": f"ST-OPT-{n}", "headEndSystem": "HES-NORTH",
            "nicId": nic, "optOutDateTime": "2026-07-01T09:12:00-05:00", "reason": "guests"}
    message = Message(OPT_OUT, name, body, nic, answer=rng.choices(("positive", "error"), (90, 10))[0])
    _script(sender, message)
    sender.post(message, "/v1/dacs/event-opt-out", "dacs")


def _unavailability(sender, n, rng):
    """Three messages of each absence: added, changed, canceled."""
    away, action, nic = n // 3, ("ADD", "UPDATE", "CANCEL")[n % 3], f"nic-away-{n // 3 % 4}"
    body = {"communicationId": f"AWAY-C{n:05}", "unavailabilityId": f"U-C{away:04}", "action": action, "headEndSystem": "HES-NORTH", "nicId": nic,
            "startDateTime": "2026-07-10T00:00:00-05:00", "endDateTime": f"2026-07-2{n % 3}T00:00:00-05:00", "reason": "on holiday"}
    sender.post(Message(AWAY, body["communicationId"], body, nic), "/v1/dacs/customer-unavailability", "dacs")


def _requests(sender, n, rng):
    """A list of requests for enrollment; DACS refuses some of them for good."""
    asked = []
    for number in range(rng.randint(1, 4)):
        request = Request(REQUESTS, f"ER-C{n:05}-{number}", rng.random() < 0.15)
        if request.refused:
            refusal = {"transactionId": request.id, "status": "VAL-ERROR", "messageNumber": 11001, "message": NOT_ELIGIBLE}
            sender.world.sandbox("dacs/enrollment-refusals", refusal)
        asked.append(request)
    body = [{
        "messageId": request.id, "drmsInstanceId": "DERMS-1", "customerInfo": {"cisPersonId": f"P-{request.id}"},
        "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-06-01T05:00:00Z"},
        "locationInfo": {"timeZone": "America/Chicago", "cisServicePointId": f"SP-{request.id}"},
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [
            {"sequence": 1, "assetType": "THERMOSTAT", "nicId": f"nic-{request.id}", "headEndSystem": "HES-NORTH"}]},
    } for request in asked]
    sender.book.requests += asked
    world = sender.world
    _, answer = sender.until_taken(REQUESTS, f"list {n}", lambda: world.post("/v1/derms/enrollment-request", body, world.tokens["derms"]))
    told = {each["id"]: each for each in answer["MsgAck"]["responses"]["response"][1:]}
    for request in asked:
        if request.id in told:
            request.told[told[request.id]["value"]] = told[request.id]["responseCode"]


def _example(flow, name):
    return json.loads(example(flow, name))
