"""Whether the demo's account is true: each field of it against what was sent, and what the neighbours and buckets hold.

What must be there is worked out in the stories from the files and messages as they were sent; nothing here asks the
platform's code. The sandbox, which re-reads every byte itself, is asked over HTTP.
"""

from collections import Counter
from datetime import datetime, timezone

from . import demo_devices
from .demo_files import ACKS, EXTRACT, INBOXES, KWH, OUTCOME, RESERVATION, SCORES, rejected_rows, rejects_key
from .demo_messages import ACK, PROGRAMS, SYNC
from .demo_stages import FLOW as EVENTS
from .demo_world import rows_of


class Comparison:
    """How many fields were compared, by subject, and which of them differ."""

    def __init__(self):
        self.fields, self.differences = Counter(), []

    def same(self, subject, what, account, books):
        """Compares one field."""
        self.fields[subject] += 1
        if account != books:
            self.differences.append((subject, what, account, books))

    def same_fields(self, subject, what, account, books):
        """Compares two records, field by field; a field that only one of them has is a difference."""
        for name in sorted({*account, *books}):
            self.same(subject, f"{what} {name}", account.get(name), books.get(name))


def compare(told):
    """Compares everything that was told."""
    comparison = Comparison()
    for story in told.files:
        run(comparison, story)
        reject_files(comparison, told.world, story)
    _scores(comparison, told)
    for output in sorted(set(INBOXES.values())):
        _inbox(comparison, told, output)
    _sync_requests(comparison, told)
    _derms(comparison, told)
    demo_devices.compare(comparison, told)
    _program_events(comparison, told)
    _acknowledgements(comparison, told)
    _refusals(comparison, told)
    _notices(comparison, told)
    return comparison


def run(comparison, story):
    """The ledger's books of a file, and that they balance."""
    counts, rejected = story.run["counts"], len(story.rejected)
    expected = {"rows": story.rows, "delivered": len(story.delivered), "repeated": story.repeated, "rejected": rejected}
    if story.state == "Rejected":
        expected |= {"rejected": story.rows}
    expected |= {"superseded": 0, "undelivered": 0}
    comparison.same_fields("ledger: files", story.name, expected, counts)
    comparison.same("ledger: files", f"{story.name} state", story.state, story.run["state"])
    reason = story.run["reason"] or ""
    comparison.same("ledger: files", f"{story.name} reason", True, story.reason in reason if story.reason else not reason)
    if story.state != "Held":
        ended = sum(counts[each] for each in ("delivered", "repeated", "superseded", "rejected", "undelivered"))
        comparison.same("ledger: files", f"{story.name} balance", counts["rows"], ended)
    comparison.same("ledger: files", f"{story.name} run", story.dropped.run_id, story.run["id"])
    comparison.same("ledger: files", f"{story.name} parent", story.parent, story.run["parent"])


def reject_files(comparison, world, story):
    """`reasons.csv` line by line, and `rows` byte for byte."""
    subject, there = "reject files", world.keys("RejectsBucket")
    key = rejects_key(story, "reasons")
    comparison.same(subject, f"{story.name} has reasons", bool(story.rejected), key in there)
    if key in there:
        reasons = rows_of(world.read("RejectsBucket", key)[0])[1]
        comparison.same(subject, f"{story.name} reasons", len(story.rejected), len(reasons))
        for (line, column, reason), (_, found) in zip(story.rejected, reasons):
            comparison.same(subject, f"{story.name}:{line} line", str(line), found[0])
            comparison.same(subject, f"{story.name}:{line} column", column, found[1])
            comparison.same(subject, f"{story.name}:{line} reason", True, reason in found[2])
    key, wanted = rejects_key(story, "rows"), bool(story.rejected) and story.state != "Rejected"
    comparison.same(subject, f"{story.name} has rows", wanted, key in there)
    if wanted and key in there:
        comparison.same(subject, f"{story.name} rows", rejected_rows(story), world.read("RejectsBucket", key)[0])


def _scores(comparison, told):
    """Each score in the DERMS's books, column by column; each file there as often as it was to be sent."""
    books, subject = told.world.sandbox("derms/scores"), "DERMS: scores"
    files = [story for story in told.files if story.flow == SCORES]
    expected = {}
    for story in files:
        sent = books["sets"].get(story.run["id"])
        comparison.same(subject, f"{story.name} is there", bool(story.delivered), sent is not None)
        if sent and story.delivered:
            comparison.same(subject, f"{story.name} rows", len(story.delivered), sent["digest"]["rows"])
            comparison.same(subject, f"{story.name} counts", True, sent["counted"] is not None)
            calls = [part["calls"] for part in sent["parts"].values()]
            comparison.same(subject, f"{story.name} calls", [1] * story.run["parts"], calls)
        for row in story.delivered:
            key = (row["headEndSystem"], row["nicId"], row["programCode"])
            expected[key] = {name: value for name, value in row.items() if value} | {"scoreFileId": story.run["id"]}
    held = {(row["headEndSystem"], row["nicId"], row["programCode"]): row for row in books["latest"]}
    comparison.same(subject, "devices", sorted(expected), sorted(held))
    for key, row in expected.items():
        comparison.same_fields(subject, key[1], row, held.get(key, {}))


def _inbox(comparison, told, output):
    """Each file and row in an inbox; and what DACS reads in the measurements in its own."""
    world, subject = told.world, subject_of(output)
    files = [story for story in told.files if INBOXES.get(story.flow) == output and story.delivered]
    comparison.same(subject, "files", sorted(story.inbox for story in files), sorted(world.keys(output)))
    for story in files:
        in_inbox(comparison, world, output, story)


def in_inbox(comparison, world, output, story):
    """A file in the inbox `output`, row by row, and what DACS reads in it if it is one of measurements."""
    subject = subject_of(output)
    body, metadata = world.read(output, story.inbox)
    comparison.same(subject, f"{story.inbox} run", story.run["id"], metadata.get("run-id"))
    comparison.same(subject, f"{story.inbox} rows by metadata", str(len(story.delivered)), metadata.get("row-count"))
    if story.same_bytes:
        comparison.same(subject, f"{story.inbox} bytes", story.body, body)
    header, rows = rows_of(body)
    comparison.same(subject, f"{story.inbox} rows", len(story.delivered), len(rows))
    for row, (line, fields) in zip(story.delivered, rows):
        comparison.same_fields(subject, f"{story.inbox}:{line}", row, dict(zip(header, fields)))
    if story.flow == KWH:
        read = world.sandbox(f"dacs/inbox/kwh-avoided/{story.run['id']}.csv", body, "PUT")
        comparison.same(subject, f"{story.inbox} what DACS objects to", [], read["violations"])
        comparison.same(subject, f"{story.inbox} rows that DACS reads", len(story.delivered), read["digest"]["rows"])


def subject_of(output):
    """What an inbox is called, given the stack's output that names its bucket."""
    return f"inbox of {output.removesuffix('InboxBucket').upper()}"


def _sync_requests(comparison, told):
    """Every sync request of DACS: its state, those before it, and the reason of an Error."""
    requests, subject = told.world.sandbox("dacs")["syncRequests"], "DACS: sync requests"
    stories = [*told.messages, *told.records]
    comparison.same(subject, "ids", sorted(story.sync_id for story in stories), sorted(requests))
    for story in stories:
        request = requests[story.sync_id]
        acknowledged = [entry for entry in request["history"] if entry.get("body")]
        states = [entry["state"] for entry in acknowledged]
        comparison.same(subject, f"{story.sync_id} state", story.state, request["state"])
        wanted = [] if story.before else [*story.was, story.state]
        comparison.same(subject, f"{story.sync_id} acknowledged", wanted, states)
        comparison.same(subject, f"{story.sync_id} refused", int(story.before), request["refusals"])
        for entry in acknowledged:
            body, failed = entry["body"], entry["state"] == "Error"
            comparison.same(subject, f"{story.sync_id} id", story.sync_id, body["syncRequestId"])
            comparison.same(subject, f"{story.sync_id} hasError", failed, body["hasError"])
            comparison.same(subject, f"{story.sync_id} exceptions", failed, bool(body.get("exceptionInfo")))
        if story.state == "Error":
            exceptions = acknowledged[-1]["body"]["exceptionInfo"]
            comparison.same(subject, f"{story.sync_id} comments", [story.reason], [each["comments"] for each in exceptions])
            if story.number:
                given = (exceptions[0]["messageCategory"], exceptions[0]["messageNumber"])
                comparison.same(subject, f"{story.sync_id} number", story.number, given)


def _derms(comparison, told):
    """Every enrollment that the DERMS took: each leaf of the message, and which devices can be called."""
    books, subject = told.world.sandbox("derms"), "DERMS: enrollments"
    comparison.same(subject, "messages", sorted(story.sync_id for story in told.messages), sorted(books["messages"]))
    subscriptions, eligible = {}, {}
    for story in told.messages:
        message = books["messages"][story.sync_id]
        comparison.same(subject, f"{story.sync_id} taken", "taken" if story.taken else "error", message["state"])
        comparison.same(subject, f"{story.sync_id} effects", int(story.taken), message["effects"])
        comparison.same(subject, f"{story.sync_id} calls", story.calls, message["calls"])
        comparison.same_fields(subject, story.sync_id, _as_sent(story.body), _leaves(message["history"][-1]["body"]))
        if story.taken:
            subscriptions[story.body["sendDetails"]["subscriptionInfo"]["subscriptionId"]] = story
    comparison.same(subject, "subscriptions", sorted(subscriptions), sorted(books["subscriptions"]))
    for name, story in subscriptions.items():
        comparison.same(subject, f"{name} message", story.sync_id, books["subscriptions"][name]["dacsMessageId"])
        details = story.body["sendDetails"]
        for device in details["locationInfo"]["controllableDevices"]:
            active = details["subscriptionInfo"]["status"] == device["status"] == "ACTIVE"
            eligible[name, device["deviceId"]] = active
    held = {(each["subscriptionId"], each["deviceId"]): each["eligible"] for each in books["devices"]}
    comparison.same(subject, "devices", sorted(eligible), sorted(held))
    for key, active in eligible.items():
        comparison.same(subject, f"{' '.join(key)} can be called", active, held.get(key))


def _program_events(comparison, told):
    """Every program event of DACS: what it was created with, and each state that it went through, once and in order."""
    books, subject = told.world.sandbox("dacs")["programEvents"], "DACS: program events"
    there = [stage for stage in told.stages if stage.states]
    wanted = sorted([*(stage.stage for stage in there), *demo_devices.STAGES])
    comparison.same(subject, "stages", wanted, sorted(books))
    for stage in there:
        held = books[stage.stage]
        comparison.same(subject, f"{stage.stage} states", stage.states, [entry["state"] for entry in held["history"]])
        comparison.same(subject, f"{stage.stage} refused", 0, held["refusals"])
        comparison.same_fields(subject, stage.stage, stage.created, held["created"])


def _acknowledgements(comparison, told):
    """Every event status is acknowledged to the DERMS once: its type, and one response per stage."""
    subject = "DERMS: acknowledgements"
    for status in told.statuses:
        ack, name = status.acknowledged["history"][-1]["body"]["MsgAck"], status.message_id
        comparison.same(subject, f"{name} effects", 1, status.acknowledged["effects"])
        comparison.same(subject, f"{name} type", "ERROR" if status.refused else "SUCCESS", ack["ackType"])
        comparison.same(subject, f"{name} ledger", "Refused" if status.refused else "Delivered", status.message["state"])
        envelope, *lines = ack["responses"]["response"]
        summary = f"delivered={len(status.values) - status.refused};failed={status.refused}"
        comparison.same(subject, f"{name} summary", summary, envelope["value"])
        comparison.same(subject, f"{name} stages", sorted(status.values), sorted(line["id"] for line in lines))
        for line in lines:
            wanted = status.values.get(line["id"], "nothing")
            comparison.same(subject, f"{name} {line['id']}", wanted, line["value"][: len(wanted)])


def _refusals(comparison, told):
    """What was not let in, with every fault that the answer must name and no other."""
    for refusal in told.refusals:
        comparison.same("API: answers", f"{refusal.title} status", refusal.wanted, refusal.status)
        if refusal.faults:
            named = [(each["pointer"], each["reason"]) for each in refusal.answer.get("errors", [])]
            comparison.same("API: answers", f"{refusal.title} faults", len(refusal.faults), len(named))
            for (pointer, reason), (place, why) in zip(sorted(refusal.faults), sorted(named)):
                comparison.same("API: answers", f"{refusal.title} pointer", pointer, place)
                comparison.same("API: answers", f"{refusal.title} reason at {pointer}", reason, why)
    for story in told.messages:
        comparison.same("API: answers", f"{story.sync_id} accepted", {202}, set(story.answers) - {200})


def _notices(comparison, told):
    """One notice for each file with a fault, each refusal of a message, and the broken lookup; no other."""
    expected = Counter()
    for story in told.files:
        if story.rejected:
            expected["business", f"{story.flow}: file {story.run['state'].lower()}", f"File: {story.dropped.address}\n"] += 1
        if story.was_held:
            expected["business", f"{story.flow}: file held", f"File: {story.dropped.address}\n"] += 1
    for story in told.messages:
        expected["business", f"{SYNC}: a message was refused", story.sync_id] += len(story.was)
    for status in told.statuses:
        expected["business", f"{EVENTS}: a message was refused", f"Message: {status.message_id}\n"] += bool(status.refused)
    for flow in (SYNC, ACK, EXTRACT, ACKS, RESERVATION, OUTCOME, EVENTS):  # Each flow that reads it says so.
        expected["business", "Lookup DacsMessages: a broken version was refused", f"Flow: {flow}\n"] += 1
    for (audience, subject, about), times in (+expected).items():
        found = [text for who, title, text in told.notices if (who, title) == (audience, subject) and about in text]
        comparison.same("notices", f"{subject} ({about.strip()})", times, len(found))
    comparison.same("notices", "all", sum(expected.values()), len(told.notices))


def _as_sent(body):
    """The message as the DERMS must get it: other names of ids and times, times in UTC, the program's ids filled in."""
    leaves = {}
    for name, value in _leaves(body["sendDetails"]).items():
        name = name.replace("syncRequestId", "dacsMessageId")
        leaves[name.replace("DateTime", "DateTimeISO")] = value
    header, rows = rows_of(PROGRAMS.encode())
    for name, value in zip(header, rows[0][1]):
        leaves.setdefault(f"subscriptionInfo.{name}", value)
    replaces = any(name.endswith("replacesDeviceId") for name in leaves)
    action = "UNENROLL" if leaves["subscriptionInfo.status"] == "INACTIVE" else "REPLACE" if replaces else "ENROLL"
    leaves["action"] = action
    return leaves


def _leaves(node, path=""):
    """Every value of a document by its path; times as instants."""
    if isinstance(node, dict):
        pairs = [(f"{path}.{name}" if path else name, value) for name, value in node.items()]
    elif isinstance(node, list):
        pairs = [(f"{path}[{place}]", value) for place, value in enumerate(node)]
    else:
        return {path: _instant(node) if "DateTime" in path else node}
    return {name: leaf for child, value in pairs for name, leaf in _leaves(value, child).items()}


def _instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
