"""Messages: each that was taken has ended, took effect once and in its order, and whoever waits for its end has heard of it once."""

from ..demo_messages import SYNC
from ..demo_stages import FLOW as EVENTS
from .messages import AGGREGATORS, AWAY, CHECK, ERROR, OPT_OUT, REQUESTS, RULES, SYNCHRONIZED
from .minds import LATE

BOOKS = {RULES: "programRules", AGGREGATORS: "aggregators", CHECK: "statusChecks", OPT_OUT: "optOuts", AWAY: "unavailabilities"}
"""By flow: under which name the DERMS keeps its messages; enrollments have no name."""
ENDS = {"positive": ("Delivered",), "error": ("Refused",), "later": ("AwaitingAck", "Delivered")}
"""By the DERMS's answer: how a message may end."""


def compare(comparison, world, book, ledger, analyzed):
    """Everything about messages. `analyzed` are the sync requests that went to OUAI, in files."""
    dacs, derms = world.sandbox("dacs"), world.sandbox("derms")
    for message in book.messages:
        comparison.same("API: answers", f"{message.flow} {message.id} is taken", True, message.taken)
        _ended(comparison, ledger, message)
        if message.flow == SYNC or message.flow in BOOKS:
            books = kept(derms, message.flow)
            _at_the_derms(comparison, books, message, overtaken(books, message, book.messages))
    _only_these(comparison, book, ledger)
    for flow in (SYNC, *BOOKS):
        _in_order(comparison, kept(derms, flow), [each for each in book.messages if each.flow == flow])
    _sync_requests(comparison, dacs["syncRequests"], book, analyzed)
    _device_statuses(comparison, dacs["deviceStatuses"], [each for each in book.messages if each.flow == CHECK])
    _enrollments(comparison, dacs["enrollments"]["requests"], derms["acks"], ledger, book.requests)
    _stages(comparison, dacs["programEvents"], derms["acks"], book)


def kept(derms, flow):
    """What the DERMS keeps of the messages of a flow, by key."""
    return (derms[BOOKS[flow]] if flow in BOOKS else derms)["messages"]


def _found(book, message):
    """What is kept under a key that is the message's id, or begins with it."""
    return next((each for key, each in book.items() if key.startswith(message.id)), None)


def _ended(comparison, ledger, message):
    """It ended as its answer says; if not well, it is listed for a person."""
    held = _found(ledger.messages.get(message.flow, {}), message)
    state = held and held["state"]
    wanted = ("AwaitingAck", "Delivered") if message.flow == CHECK else ENDS[message.answer]
    comparison.same("ledger: messages", f"{message.flow} {message.id} ended", True, state in wanted or f"{state}: {held and held['reason']}")
    if state == "Refused":
        listed = any(key.startswith(message.id) for key in ledger.open.get(message.flow, ()))
        comparison.same("ledger: messages", f"{message.flow} {message.id} is listed", True, listed)


def _only_these(comparison, book, ledger):
    """No message but those that were sent."""
    sent = {flow: sum(each.flow == flow for each in book.messages) for flow in {each.flow for each in book.messages}}
    sent |= {REQUESTS: len(book.requests)} if book.requests else {}
    comparison.same("ledger: messages", "all", sent, {flow: len(messages) for flow, messages in ledger.messages.items()})


def overtaken(books, message, messages):
    """How often the DERMS took it again for a good reason: it had taken it, decided about an older message of the same order
    only then, and what it keeps went back to that; a call whose answer was lost, made again, sets it right."""
    same = [each for each in messages if each.flow == message.flow and each.order == message.order]
    taken = [
        (entry["order"], place) for place, each in enumerate(same) for entry in (_found(books, each) or {"history": []})["history"]
        if entry["outcome"] == "taken"
    ]
    places, own = [place for _, place in sorted(taken)], same.index(message)
    again = [before for before, place in zip(places, places[1:]) if place == own and own in places[: places.index(before)]]
    return sum(before < own and same[before].answer == "later" for before in again)


def _at_the_derms(comparison, books, message, again):
    """The DERMS took it once, or refused it and did nothing."""
    subject, held = f"DERMS: {message.flow.split('-', 2)[2]}", _found(books, message)
    refused = message.answer == "error" or (message.answer == "later" and message.late == "error")
    comparison.same(subject, f"{message.id} state", "error" if refused else "taken", held and held["state"])
    comparison.same(subject, f"{message.id} effects", 0 if refused else 1 + again, held and held["effects"])


def _in_order(comparison, books, messages):
    """Of messages of one order the DERMS heard in the order in which they were taken from their sender."""
    heard = {}
    for message in messages:
        held = _found(books, message)
        if held and held["history"]:
            heard.setdefault(message.order, []).append((held["history"][0]["order"], message.id))
    for order, places in heard.items():
        comparison.same(f"DERMS: {messages[0].flow.split('-', 2)[2]}", f"order of {order}", sorted(places), places)


def _sync_requests(comparison, requests, book, analyzed):
    """Every sync request of DACS is where the DERMS's last word puts it, and heard that once."""
    subject, sent = "DACS: sync requests", [each for each in book.messages if each.flow in SYNCHRONIZED]
    comparison.same(subject, "ids", sorted({each.id for each in sent} | analyzed), sorted(requests))
    for message in sent:
        request = requests.get(message.id, {"state": None, "effects": 0, "history": []})
        reason = ERROR if message.answer == "error" else LATE if message.late == "error" else None
        comparison.same(subject, f"{message.id} state", "Error" if reason else "Synchronized", request["state"])
        comparison.same(subject, f"{message.id} effects", 1, request["effects"])
        if reason and request["history"]:
            exceptions = request["history"][-1].get("body", {}).get("exceptionInfo") or [{}]
            comparison.same(subject, f"{message.id} comment", reason, exceptions[-1].get("comments"))


def _device_statuses(comparison, books, messages):
    """DACS heard of each device that it asked for, once."""
    for message in messages:
        held = books.get(message.id, {"status": None, "effects": 0})
        wanted = ("SUCCESS" if message.late == "positive" else "FAILURE", 1)
        comparison.same("DACS: device statuses", message.id, wanted, (held["status"], held["effects"]))
    comparison.same("DACS: device statuses", "all", len(messages), len(books))


def _enrollments(comparison, books, acks, ledger, requests):
    """DACS has each valid request once; the DERMS heard of each, in the answer to its list or later."""
    subject, told = "DACS: requests for enrollment", {}
    for entry in (entry for ack in acks.values() for entry in ack["history"]):
        for each in entry["body"]["MsgAck"]["responses"]["response"][1:]:
            told.setdefault(each["id"], set()).add(each["responseCode"])
    comparison.same(subject, "ids", sorted(each.id for each in requests), sorted(books))
    for request in requests:
        held = books.get(request.id, {"effects": 0})
        comparison.same(subject, f"{request.id} effects", 0 if request.refused else 1, held["effects"])
        heard = told.get(request.id, set()) | set(request.told.values())
        comparison.same(subject, f"{request.id} told to the DERMS", {"ERROR" if request.refused else "SUCCESS"}, heard)
        message = ledger.messages.get(REQUESTS, {}).get(request.id)
        comparison.same("ledger: messages", f"{request.id} ended", "Refused" if request.refused else "Delivered", message and message["state"])


def _stages(comparison, books, acks, book):
    """Each stage went through its states once and in order; each status is acknowledged once."""
    subject = "DACS: program events"
    comparison.same(subject, "stages", sorted(book.stages), sorted(books))
    for stage, states in book.stages.items():
        held = books.get(stage, {"history": [], "effects": 0})
        comparison.same(subject, f"{stage} states", states, [entry["state"] for entry in held["history"]])
        comparison.same(subject, f"{stage} effects", len(states), held["effects"])
    for message in (each for each in book.messages if each.flow == EVENTS):
        ack = acks.get(message.id, {"effects": 0, "history": []})
        kinds = [entry["body"]["MsgAck"]["ackType"] for entry in ack["history"]]
        comparison.same("DERMS: acknowledgements", message.id, (1, ["SUCCESS"]), (ack["effects"], kinds))
