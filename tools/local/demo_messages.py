"""The demo's messages: enrollments, what the DERMS makes of them, and what the program system's sync requests become."""

import copy
import json
from dataclasses import dataclass, field

from .demo_world import World, example, expected

SYNC, ACK = "dacs-derms-enrollment-sync", "derms-dacs-enrollment-ack"
SYNC_ROUTE, ACK_ROUTE = "/v1/dacs/enrollment-sync", "/v1/derms/enrollment-ack"

PROGRAMS = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n"
BROKEN_MESSAGES = "messageNumber,verdict,meaning\n20001,DONE,sync request already acknowledged\n"


@dataclass
class MessageStory:
    """One sync request: what is sent for it, and what it must come to."""

    title: str
    sync_id: str
    body: dict
    """The message that counts at the end: the corrected one, where one was corrected."""
    answers: list = field(default_factory=list)
    """HTTP status of each request, in order."""
    state: str = "Synchronized"
    """The sync request in the program system."""
    was: list = field(default_factory=list)
    """The states that it went through before."""
    reason: str = ""
    """Part of the reason of a refusal."""
    taken: bool = True
    """Whether the DERMS has it."""
    before: bool = False
    """Whether it had been acknowledged before it was sent."""
    calls: int = 1
    """Calls of /enroll that reached the DERMS's books."""
    number: tuple = ()
    """Message category and number of its Error, where it is not the configured one."""
    message: dict = None
    """The ledger's item."""


@dataclass
class Record:
    """A sync request that goes to the analytics engine and comes back in files: a row each, no message."""

    title: str
    sync_id: str
    state: str
    reason: str = ""
    number: tuple = ()
    """Message category and number of its Error, where the file gives them."""
    was = ()
    before = False


def records(world: World):
    """The sync requests of the enrollment extract, before DACS sends it: accepted, rejected here, and refused by OUAI."""
    told = [
        Record("in the extract, accepted by OUAI", "70000000000001", "Synchronized"),
        Record("in the extract, its row rejected here", "70000000000002", "Error", "servicePointId: is empty"),
        Record("in the extract, refused by OUAI", "70000000000003", "Error", "service point SP0000000002 is unknown", (11205, 301)),
    ]
    world.sandbox("dacs/sync-requests", {"ids": [each.sync_id for each in told]})
    return told


@dataclass
class Refusal:
    """A request that was not let in: what was asked, and the answer."""

    title: str
    route: str
    wanted: int
    status: int = 0
    answer: dict = None
    faults: list = field(default_factory=list)
    """(pointer, reason) that the answer must name, each and no other."""


def enrollment(sync_id, subscription, service_point, devices, **more):
    """An enrollment like the documented example, of other people and things."""
    body = _example(SYNC, "valid-enroll-two-devices.json")
    details = body["sendDetails"]
    details["syncRequestId"] = sync_id
    details["subscriptionInfo"] |= {"subscriptionId": subscription}
    details["locationInfo"]["servicePointId"] = service_point
    model = details["locationInfo"]["controllableDevices"][1]
    details["locationInfo"]["controllableDevices"] = [
        {**model, "deviceId": device, "nicId": f"nic-{device}", "serialNumber": f"SN-{device}"} for device in devices
    ]
    details["subscriptionInfo"] |= more
    return body


def program_by_code(world: World):
    """A program that is known by its code only, before anybody has listed it. Then the lookup Program lists it, and a
    broken version of DacsMessages comes."""
    body = enrollment("30000000000001", "S-7101", "SP-2101", ["D001101"])
    for name in ("programId", "programExternalIdentifier"):
        del body["sendDetails"]["subscriptionInfo"][name]
    story = MessageStory("program by its code: not listed, listed, resent", "30000000000001", body, was=["Error"])
    _straight(world, story)
    world.set_lookup("Program", PROGRAMS)
    world.set_lookup("DacsMessages", BROKEN_MESSAGES)
    return story


def program_listed(world: World, story):
    """The same message, once the lookup lists the program."""
    _resend(world, story)


def acknowledged_before(world: World):
    """DACS answers 400, message number 20001: the last good version of DacsMessages still says what that means."""
    body = enrollment("30000000000002", "S-7102", "SP-2102", ["D001102"])
    story = MessageStory("already acknowledged in DACS (400, 20001)", "30000000000002", body, before=True)
    world.sandbox("dacs/sync-requests", {"ids": [story.sync_id], "state": "Synchronized"})
    status, _ = world.post(SYNC_ROUTE, body, world.tokens["dacs"])
    story.answers.append(status)
    story.message = world.ended_message(SYNC, story.sync_id)
    return story


def life_of_a_subscription(world: World):
    """Enrolled with two devices; one of them replaced; unenrolled. One story each."""
    enrolled = _example(SYNC, "valid-enroll-two-devices.json")
    yield _straight(world, MessageStory("enrollment of two devices", "10000000000001", enrolled))
    replaced = _example(SYNC, "valid-replacement.json")
    replaced["sendDetails"]["subscriptionInfo"]["programExternalIdentifier"] = "PRG-SUMMER-T"
    untouched = copy.deepcopy(enrolled["sendDetails"]["locationInfo"]["controllableDevices"][1])
    replaced["sendDetails"]["locationInfo"]["controllableDevices"].append(untouched)
    yield _straight(world, MessageStory("device replacement", "10000000000003", replaced))
    gone = copy.deepcopy(replaced)
    gone["sendDetails"]["syncRequestId"] = "10000000000002"
    gone["sendDetails"]["subscriptionInfo"] |= {"status": "INACTIVE", "endDateTime": "2026-08-31T23:59:59-05:00"}
    for device in gone["sendDetails"]["locationInfo"]["controllableDevices"]:
        device |= {"status": "REMOVED", "endDateTime": "2026-08-31T23:59:59-05:00"}
        device.pop("replacesDeviceId", None)
    yield _straight(world, MessageStory("unenrollment", "10000000000002", gone))


def corrected(world: World):
    """The DERMS does not know the service point; the message is corrected and sent again under its sync request."""
    wrong = enrollment("30000000000003", "S-7103", "SP-9999", ["D001103"])
    story = MessageStory("unknown service point, corrected and resent", "30000000000003", wrong, was=["Error"], calls=2)
    world.sandbox("derms/unknown", {"servicePoints": ["SP-9999"]}, "PUT")
    _send(world, story)
    first = world.ended_message(SYNC, story.sync_id)
    if first["state"] != "Refused":
        raise AssertionError(f"an unknown service point ended as {first['state']}")
    story.body = enrollment("30000000000003", "S-7103", "SP-2103", ["D001103"])
    _resend(world, story)
    return story


def acknowledged_later(world: World, sync_id, subscription, positive):
    """The DERMS answers 202 and makes up its mind afterwards, through the acknowledgement route."""
    body = enrollment(sync_id, subscription, f"SP-{subscription[2:]}", [f"D{sync_id[-6:]}"])
    kind = "positive" if positive else "negative"
    story = MessageStory(f"202, {kind} acknowledgement later", sync_id, body, taken=positive)
    world.sandbox("derms/answers", {"answer": "later", "dacsMessageId": sync_id, "count": 1})
    _straight(world, story)
    late = {"dacsMessageId": sync_id, "answer": "positive" if positive else "error"}
    if not positive:
        late["message"] = story.reason = "the head-end does not take this model"
        story.state = "Error"
    ack = world.sandbox("derms/late-acks", late)
    for _ in range(2):  # The DERMS may repeat it; DACS is told once.
        status, answer = world.post(ACK_ROUTE, ack, world.tokens["derms"])
        story.answers.append(status)
        if status == 202:
            world.ended_message(ACK, answer["messageKey"])
    return story


def derms_recovers(world: World):
    """The DERMS is down for two calls; nobody need do anything."""
    story = MessageStory(
        "DERMS answers 503 twice", "30000000000006", enrollment("30000000000006", "S-7106", "SP-2106", ["D001106"])
    )
    world.sandbox("faults", {"path": "/derms/enroll", "count": 2, "fault": {"kind": "error", "status": 503, "retryAfterSeconds": 1}})
    return _straight(world, story)


def sent_again(world: World, story):
    """The same message again, and another one under its key."""
    status, answer = world.post(SYNC_ROUTE, story.body, world.tokens["dacs"])
    repeat = Refusal("a message that is done, once more", SYNC_ROUTE, 200, status, answer)
    other = copy.deepcopy(story.body)
    other["sendDetails"]["locationInfo"]["division"] = "SOUTH"
    status, answer = world.post(SYNC_ROUTE, other, world.tokens["dacs"])
    return [repeat, Refusal("another message under the key of one that is done", SYNC_ROUTE, 422, status, answer)]


def not_let_in(world: World):
    """Requests without a token, with somebody else's, and messages that are not valid."""
    good = enrollment("30000000000007", "S-7107", "SP-2107", ["D001107"])
    cases = [("no token", good, None, 401), ("the DERMS's token at DACS's door", good, world.tokens["derms"], 403)]
    for title, body, token, wanted in cases:
        yield Refusal(title, SYNC_ROUTE, wanted, *world.post(SYNC_ROUTE, body, token))
    for route, flow, name, sender in (
        (SYNC_ROUTE, SYNC, "invalid-missing-fields.json", "dacs"),
        (SYNC_ROUTE, SYNC, "invalid-truncated.json", "dacs"),
        (ACK_ROUTE, ACK, "invalid-unknown-codes.json", "derms"),
    ):
        refusal = Refusal(name, route, 400, *world.post(route, example(flow, name), world.tokens[sender]))
        refusal.faults = [(each["pointer"], each["reason"]) for each in expected(flow, name)]
        yield refusal


def _straight(world, story):
    """Sent once, and waited for."""
    _send(world, story)
    story.message = world.ended_message(SYNC, story.sync_id)
    return story


def _send(world, story):
    """DACS sends its sync request."""
    world.sandbox("dacs/sync-requests", {"ids": [story.sync_id]})
    status, _ = world.post(SYNC_ROUTE, story.body, world.tokens["dacs"])
    story.answers.append(status)


def _resend(world, story):
    """DACS sends it again after it went to Error."""
    before = world.ended_message(SYNC, story.sync_id)["attempt"]
    status, _ = world.post(SYNC_ROUTE, story.body, world.tokens["dacs"])
    story.answers.append(status)
    story.message = world.ended_message(SYNC, story.sync_id, before + 1)


def _example(flow, name):
    return json.loads(example(flow, name))
