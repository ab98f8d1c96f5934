"""A program and an aggregator are set up, customers enroll with their devices, one device is replaced, one customer leaves."""

import csv
import io
import json
from dataclasses import dataclass, field

from ..demo_files import ACKS, EXTRACT, NETWORK
from ..demo_messages import ACK_ROUTE, SYNC, SYNC_ROUTE
from ..demo_world import World, example, records
from ..progress import Failed, step
from .agreement import Agreement

RULES, AGGREGATORS, CHECK = "dacs-derms-program-rules", "dacs-derms-aggregators", "dacs-derms-device-status-check"
START, END = "2026-06-01T00:00:00-05:00", "2026-08-31T23:59:59-05:00"
PROGRAM = {"programId": "90000001", "programCode": "SUMMER-T"}
ASSET_TYPES = "key,value\nTHERMOSTAT,SMART-THERMOSTAT\n"
DEVICES = {1: 1, 2: 1, 3: 3}
"""By customer: how many devices."""
EXTRACT_COLUMNS = (
    "syncRequestId", "syncFlag", "action", "subscriptionId", "subscriptionType", "status", "programId", "programCode", "cisPersonId",
    "cisAccountId", "cisPremiseId", "cisServicePointId", "servicePointId", "startDateTime", "endDateTime", "changeDateTime",
)


@dataclass
class Subscription:
    """An enrollment in DACS's books, once it is complete."""

    name: str
    service_point: str
    devices: list
    """(device id, NIC id, status) of each, the replaced ones too."""
    status: str = "ACTIVE"
    requests: list = field(default_factory=list)
    """The sync requests of all that was sent of it."""


def play(world: World):
    """The journey; gives the agreement, and the subscriptions for the next one."""
    with step("a program's rules and an aggregator") as running:
        rules, aggregator = _set_up(world)
        running.note = "acknowledged at once, and later"
    with step("network location, posted") as running:
        located = _network(world)
        running.note = f"{len(located)} in DACS's inbox"
    with step("three customers enroll") as running:
        subscriptions, told = _enroll(world)
        running.note = ", ".join(each.name for each in subscriptions)
    with step("the DERMS learns their devices") as running:
        _synchronize(world, subscriptions)
        running.note = "at once, later, and after a correction"
    with step("can a device be reached?") as running:
        running.note = _check(world, subscriptions[0])
    with step("OUAI takes and acknowledges them") as running:
        files = [_to_analytics(world, "ENROLL_SYNC_J1", subscriptions)]
        running.note = "3 synchronized"
    with step("a device is replaced, a customer leaves") as running:
        _replace(world, subscriptions[0])
        _leave(world, subscriptions[1])
        files.append(_to_analytics(world, "ENROLL_SYNC_J2", subscriptions[1:2]))
        running.note = "OUAI hears of the customer, not of the device"
    return _agreement(world, (rules, aggregator, located, told), subscriptions, files), subscriptions


def _set_up(world):
    """The DERMS takes the rules at once, and says of the aggregator later that it has it."""
    rules = _example(RULES, "valid-future-rule-beside-one-in-force.json") | {"syncRequestId": "81000000000001"}
    aggregator = _example(AGGREGATORS, "valid-add.json") | {"syncRequestId": "81000000000002"}
    _send(world, RULES, rules["syncRequestId"], rules)
    _synchronized(world, rules["syncRequestId"])
    later = aggregator["syncRequestId"]
    world.sandbox("derms/answers", {"answer": "later", "dacsMessageId": later, "count": 1})
    _send(world, AGGREGATORS, later, aggregator)
    world.ended_message(AGGREGATORS, later)
    _acknowledge(world, f"/v1/derms/{AGGREGATORS.split('-', 2)[2]}-ack", later)
    return rules, aggregator


def _network(world):
    """The file comes over HTTP, with its envelope; DACS finds it in its inbox."""
    body = example(NETWORK, "valid-initial-load.csv")
    dropped = world.post_file(NETWORK, {"drmsInstanceId": "DERMS-1", "messageId": "NET-J1", "recordCount": 3}, body)
    world.delivered_run(dropped)
    return records(body)


def _enroll(world):
    """Two bring devices of their own, which the DERMS hears of; for the third an outside system calls DACS past us. All that
    DACS takes is complete at once in this story."""
    world.set_lookup("AssetType", ASSET_TYPES)
    asked = [{
        "messageId": f"J-{number}", "drmsInstanceId": "DERMS-1",
        "customerInfo": {"cisPersonId": f"P-J{number}"},
        "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-06-01T05:00:00Z"},
        "locationInfo": {"timeZone": "America/Chicago", "cisServicePointId": f"SP-J{number}"},
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": _assets(number)},
    } for number in (1, 2)]
    status, answer = world.post("/v1/derms/enrollment-request", asked, world.tokens["derms"])
    if status != 200 or answer["MsgAck"]["ackType"] != "SUCCESS":
        raise Failed(f"Requests for enrollment were answered {status}: {answer}")
    world.call_dacs("/rest/apis/cross/digitalAssets/programEnrollments/enroll", {
        "transactionId": "J-3", "enrollmentSource": "X1CC",
        "customerInfo": {"cisPersonId": "P-J3"},
        "programInfo": {"programCode": "SUMMER-T", "startDate": "2026-06-01"},
        "locationInfo": {"timeZone": "America/Chicago", "cisServicePointId": "SP-J3"},
        "assetInfo": {"installationMethod": "X1SI", "assetOwnership": "W1CO", "assetList": _assets(3)},
    })
    told = {each["id"]: each["value"] for each in answer["MsgAck"]["responses"]["response"][1:]}
    return [_subscription(request) for name, request in sorted(_requests(world).items()) if name.startswith("J-")], told


def _assets(number):
    return [
        {"sequence": place, "assetType": "THERMOSTAT", "nicId": f"nic-J{number}-{place}", "headEndSystem": "HES-NORTH"}
        for place in range(1, DEVICES[number] + 1)
    ]


def _subscription(request):
    """What DACS makes of a request that it took."""
    body, name = request["body"], request["enrollmentId"]
    devices = [[f"D{name[-6:]}{place}", each["nicId"], "ACTIVE"] for place, each in enumerate(body["assetInfo"]["assetList"])]
    return Subscription(name, body["locationInfo"]["cisServicePointId"], devices)


def _synchronize(world, subscriptions):
    """One is taken at once, one later, one after a correction."""
    at_once, later, corrected = subscriptions
    _synchronized(world, _tell_derms(world, at_once, "81000000000011"))
    world.sandbox("derms/answers", {"answer": "later", "dacsMessageId": "81000000000012", "count": 1})
    _tell_derms(world, later, "81000000000012")
    world.ended_message(SYNC, "81000000000012")
    _acknowledge(world, ACK_ROUTE, "81000000000012")
    refusal = {"answer": "error", "text": "no feeder is known", "dacsMessageId": "81000000000013", "count": 1}
    world.sandbox("derms/answers", refusal)
    _tell_derms(world, corrected, "81000000000013")
    world.until("the refused enrollment to be an Error", lambda: _state(world, "81000000000013") == "Error")
    _tell_derms(world, corrected, "81000000000013", division="SOUTH")
    _synchronized(world, "81000000000013")


def _tell_derms(world, subscription, sync_id, **location):
    """DACS sends a subscription with all its devices."""
    replaced = [device for device, _, status in subscription.devices if status == "REMOVED"]
    devices = []
    for device, nic, status in subscription.devices:
        line = {"deviceId": device, "deviceType": "THERMOSTAT", "specification": "ECO-T100", "headEndSystem": "HES-NORTH",
                "nicId": nic, "serialNumber": f"SN-{device}", "status": status, "startDateTime": START}
        if status == "REMOVED":
            line["endDateTime"] = END
        elif replaced:
            line["replacesDeviceId"] = replaced[0]
        devices.append(line)
    details = {"subscriptionId": subscription.name, "status": subscription.status, **PROGRAM, "startDateTime": START}
    if subscription.status == "INACTIVE":
        details["endDateTime"] = END
    place = {"servicePointId": subscription.service_point, "controllableDevices": devices} | location
    _send(world, SYNC, sync_id, {"sendDetails": {"syncRequestId": sync_id, "subscriptionInfo": details, "locationInfo": place}})
    if sync_id not in subscription.requests:
        subscription.requests.append(sync_id)
    return sync_id


def _check(world, subscription):
    """DACS asks, the DERMS says later that the device answers."""
    _, nic, _ = subscription.devices[0]
    asked = {"communicationId": "CHECK-J1", "deviceInfo": {"division": "NORTH", "headEndSystem": "HES-NORTH", "nicid": nic}}
    _accepted(world.post("/v1/dacs/device-status-check", {"sendDetails": asked}, world.tokens["dacs"]))
    world.ended_message(CHECK, "CHECK-J1")
    _accepted(world.post("/v1/derms/device-status-ack", {"dacsMessageId": "CHECK-J1", "responseCode": "SUCCESS"}, world.tokens["derms"]))
    told = world.until("DACS to hear of the device", lambda: world.sandbox("dacs")["deviceStatuses"].get("CHECK-J1"))
    return f"{nic}: {told['status']}"


def _to_analytics(world, name, subscriptions):
    """The extract to OUAI, and OUAI's acknowledgements of what lies in its inbox; gives the key of that file."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(EXTRACT_COLUMNS)
    for place, each in enumerate(subscriptions):
        sync_id = f"82{name[-1]}{place:011}"
        each.requests.append(sync_id)
        world.sandbox("dacs/sync-requests", {"ids": [sync_id]})
        action, end = ("ENROLL", "") if each.status == "ACTIVE" else ("UNENROLL", END)
        rows.writerow([sync_id, "F1IC", action, each.name, "DR", each.status, *PROGRAM.values(), "P", "A", "PR", "CSP",
                       each.service_point, START, end, "2026-07-01T04:30:00-04:00"])
    sent = world.drop(EXTRACT, f"{name}.csv", text.getvalue().encode())
    world.delivered_run(sent)
    arrived, _ = world.read("OuaiInboxBucket", sent.key)
    acks = "syncRequestId,status\n" + "".join(f"{row['syncRequestId']},SUCCESS\n" for row in records(arrived))
    world.delivered_run(world.drop(ACKS, f"ACK_{name}.csv", acks.encode()))
    for row in records(arrived):
        _synchronized(world, row["syncRequestId"])
    return sent.key


def _replace(world, subscription):
    """A device breaks; another takes its place."""
    old = subscription.devices[0]
    old[2] = "REMOVED"
    subscription.devices.append([old[0][:-1] + "9", old[1] + "-new", "ACTIVE"])
    _synchronized(world, _tell_derms(world, subscription, "81000000000014"))


def _leave(world, subscription):
    """A customer moves out."""
    subscription.status = "INACTIVE"
    for device in subscription.devices:
        device[2] = "REMOVED"
    _synchronized(world, _tell_derms(world, subscription, "81000000000015"))


def _agreement(world, set_up, subscriptions, files):
    """Programs and aggregators of DACS and the DERMS; subscriptions of all three; devices, of which OUAI knows none."""
    (rules, aggregator, located, told), derms = set_up, world.sandbox("derms")
    agreement = Agreement("customers and devices")
    held = derms["programRules"]["latest"].get(rules["programCode"], {}).get("body", {})
    agreement.says(f"rules of {rules['programCode']}", _rules(rules), _rules(held))
    held = derms["aggregators"]["latest"].get(aggregator["aggregatorId"], {}).get("body", {})
    agreement.says(f"aggregator {aggregator['aggregatorId']}", _aggregator(aggregator), _aggregator(held))
    in_inbox = {row["servicePointId"]: row["feederId"] for row in records(world.read("DacsInboxBucket", "network-location/NET-J1.csv")[0])}
    for row in located:
        agreement.says(f"feeder of {row['servicePointId']}", in_inbox.get(row["servicePointId"]), row["feederId"])
    for request, enrollment in told.items():
        agreement.says(f"request {request}", _requests(world)[request]["enrollmentId"], enrollment)
    analyzed = {row["subscriptionId"]: row["status"] for key in files for row in records(world.read("OuaiInboxBucket", key)[0])}
    for each in subscriptions:
        synchronized = all(_state(world, sync_id) == "Synchronized" for sync_id in each.requests)
        there = derms["subscriptions"].get(each.name, {}).get("status")
        agreement.says(f"subscription {each.name}", each.status if synchronized else "not synchronized", there, analyzed.get(each.name))
        callable_ = {device["deviceId"]: device["eligible"] for device in derms["devices"] if device["subscriptionId"] == each.name}
        for device, _, status in each.devices:
            can = callable_.get(device)
            agreement.says(f"device {device}", _called(status == "ACTIVE"), None if can is None else _called(can))
    return agreement


def _rules(body):
    return ", ".join(sorted(f"{rule['ruleId']} from {rule['effectiveDate']}" for rule in body.get("rules", [])))


def _aggregator(body):
    return f"{body.get('name')}, {body.get('status')}, by {body.get('gateway', {}).get('protocol')}"


def _called(can):
    return "can be called" if can else "cannot be called"


def _send(world, flow, sync_id, body):
    """DACS sends a message under its sync request."""
    if _state(world, sync_id) is None:
        world.sandbox("dacs/sync-requests", {"ids": [sync_id]})
    route = SYNC_ROUTE if flow == SYNC else f"/v1/dacs/{flow.split('-', 2)[2]}"
    _accepted(world.post(route, body, world.tokens["dacs"]))


def _acknowledge(world, route, sync_id):
    """The DERMS has made up its mind: positively."""
    ack = world.sandbox("derms/late-acks", {"dacsMessageId": sync_id, "answer": "positive"})
    _accepted(world.post(route, ack, world.tokens["derms"]))
    _synchronized(world, sync_id)


def _synchronized(world, sync_id):
    world.until(f"sync request {sync_id} to be Synchronized", lambda: _state(world, sync_id) == "Synchronized")


def _state(world, sync_id):
    return (world.sandbox("dacs")["syncRequests"].get(sync_id) or {}).get("state")


def _requests(world):
    return world.sandbox("dacs")["enrollments"]["requests"]


def _accepted(answered):
    status, said = answered
    if status != 202:
        raise Failed(f"A message was answered {status}: {said}")


def _example(flow, name):
    return json.loads(example(flow, name))
