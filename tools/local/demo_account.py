"""The demo's account, as tables: what was delivered, rejected and acknowledged, and who was told."""

import csv
import io
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .demo_files import ACKS, INBOXES, rejects_key
from .journeys.agreement import SYSTEMS

FEW, MANY = 3, 10
"""Of a file with many rejected rows only a few are shown; its reasons.csv has them all."""
WIDTH = 150
"""Of the tables where there is no terminal to fit them into."""
NUMBERS = (
    "rows", "delivered", "repeated", "rejected", "line", "fields", "different", "sent", "sent again", "answered later", "calls again",
    "effects twice", "times",
)
"""Columns of numbers."""
LEDGER = {"AwaitingAck": "Awaiting ack"}
GOOD = ("Delivered", "Synchronized")


def show(told, comparison, seconds):
    """Prints the account and the comparison; gives the number of differences."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for table in (_files(told), _rejected(told), _messages(told), _devices(told), _stages(told), _statuses(told), _refusals(told), _faults(told), _notices(told)):
        console.print()
        console.print(table)
    for agreement in told.journeys:
        console.print()
        console.print(_agreement(agreement))
    console.print()
    console.print(comparison_table(comparison, "The account against the books"))
    for subject, what, account, books in comparison.differences:
        console.print(Text(f"  {subject}: {what}\n    the account says {account!r}\n    the books say    {books!r}", style="red"))
    fields, differences = sum(comparison.fields.values()), len(comparison.differences)
    verdict = "agrees with" if not differences else "DISAGREES with"
    console.print(f"\nThe account {verdict} the books: {fields} fields compared, {differences} different. {seconds:.0f} s.")
    return differences


def empty_table(title, *columns):
    """A table without rows; columns of numbers are aligned as such."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=False)
    for column in columns:
        is_number = column in NUMBERS
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table


def _state(word):
    return Text(word, style="green" if word in GOOD else "yellow")


def _files(told):
    table = empty_table("Files", "what", "file", "state", "rows", "delivered", "repeated", "rejected", "where the rows are")
    for story in told.files:
        counts = story.run["counts"]
        numbers = [str(counts[each]) for each in ("rows", "delivered", "repeated", "rejected")]
        table.add_row(story.title, Text(story.name), _state(story.run["state"]), *numbers, Text(_where(story)))
    return table


def _where(story):
    counts = story.run["counts"]
    if story.run["state"] == "Held":
        return "held for a person"
    if not counts["delivered"]:
        return "nowhere"
    if story.flow in INBOXES:
        inbox = INBOXES[story.flow].removesuffix("InboxBucket").lower()
        return f"{inbox}-inbox, " + ("the same bytes" if story.same_bytes else "rewritten")
    if story.flow == ACKS:
        return "DACS, a call each"
    return f"DERMS, {story.run['parts']} call"


def _rejected(told):
    bucket = told.world.outputs["RejectsBucket"]
    title = f"Rejected: s3://{bucket}/<flow>/<file>.<run>.reasons.csv, and .rows.csv, droppable again"
    table = empty_table(title, "file", "run", "line", "column", "reason")
    for story in told.files:
        if not story.rejected:
            continue
        reasons, _ = told.world.read("RejectsBucket", rejects_key(story, "reasons"))
        rows = list(csv.DictReader(io.StringIO(reasons.decode())))
        for place, row in enumerate(rows if len(rows) <= MANY else rows[:FEW]):
            texts = [Text(row[name]) for name in ("line", "column", "reason")]
            table.add_row(Text(story.name if not place else ""), Text(story.run["id"] if not place else ""), *texts)
        if len(rows) > MANY:
            table.add_row("", "", "…", "", f"and {len(rows) - FEW} more")
        table.add_section()
    return table


def _messages(told):
    requests = told.world.sandbox("dacs")["syncRequests"]
    table = empty_table("Sync requests of DACS", "what", "id", "HTTP answers", "in the ledger", "in DACS", "before", "reason given to DACS")
    for story in told.messages:
        request = requests[story.sync_id]
        states = [entry["state"] for entry in request["history"] if entry.get("body")]
        answers = ", ".join(str(each) for each in story.answers)
        table.add_row(
            story.title, story.sync_id, answers, _state(LEDGER.get(story.message["state"], story.message["state"])), _state(request["state"]),
            ", ".join(states[:-1]), Text(_comments(request)),
        )
    for record in told.records:
        request = requests[record.sync_id]
        table.add_row(record.title, record.sync_id, "", "", _state(request["state"]), "", Text(_comments(request)))
    return table


def _comments(request):
    comments = [each["comments"] for entry in request["history"] for each in (entry.get("body") or {}).get("exceptionInfo") or []]
    return comments[-1] if comments else ""


def _devices(told):
    table = empty_table("Devices in the DERMS", "device", "subscription", "head-end", "NIC id", "service point", "status", "can be called")
    for each in told.world.sandbox("derms")["devices"]:
        names = ("deviceId", "subscriptionId", "headEndSystem", "nicId", "servicePointId", "status")
        table.add_row(*(Text(each[name] or "") for name in names), "yes" if each["eligible"] else "no")
    return table


def _stages(told):
    books = told.world.sandbox("dacs")["programEvents"]
    table = empty_table("Program events of DACS, one per stage", "what", "event", "stage", "went through")
    for stage in told.stages:
        history = books[stage.stage]["history"] if stage.stage in books else []
        table.add_row(stage.title, stage.event, stage.stage, " → ".join(entry["state"] for entry in history) or "none")
    return table


def _statuses(told):
    table = empty_table("Event statuses of the DERMS", "what", "message", "in the ledger", "acknowledged", "stage by stage")
    for status in told.statuses:
        ack = status.acknowledged["history"][-1]["body"]["MsgAck"]
        lines = [f"{line['id']}: {line['value']}" for line in ack["responses"]["response"][1:]]
        table.add_row(status.title, status.message_id, _state(status.message["state"]), ack["ackType"], Text("\n".join(lines)))
    return table


def _refusals(told):
    table = empty_table("Requests that were not taken as new", "what", "route", "status", "answer")
    for refusal in told.refusals:
        answer = refusal.answer or {}
        said = answer.get("detail") or answer.get("message") or ", ".join(f"{name} {value}" for name, value in answer.items())
        table.add_row(refusal.title, refusal.route, str(refusal.status), Text(said))
    return table


def _faults(told):
    table = empty_table("Every field that a 400 names", "message", "pointer", "reason")
    for refusal in told.refusals:
        for place, each in enumerate((refusal.answer or {}).get("errors", [])):
            table.add_row(Text(refusal.title if not place else ""), Text(each["pointer"] or "(message)"), Text(each["reason"]))
    return table


def _notices(told):
    table = empty_table("Notices to people", "to", "subject", "about")
    for audience, subject, text in told.notices:
        lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        about = lines.get("File") or lines.get("Message") or lines.get("Lookup", "")
        reason = lines.get("Reason") or lines.get("Rows", "")
        table.add_row(audience, Text(subject), Text(f"{about}\n{reason}".strip()))
    return table


def _agreement(agreement):
    """What each system says of the same thing; a dash where it has nothing to do with it."""
    table = empty_table(f"Journey: {agreement.title}", "about", *SYSTEMS)
    for about, *said in agreement.lines:
        known = [each for each in said if each is not None]
        style = "green" if len(set(known)) == 1 else "red"
        table.add_row(Text(about), *(Text("–" if each is None else each, style="" if each is None else style) for each in said))
    return table


def comparison_table(comparison, title):
    """How many fields were compared, by subject, and how many differ."""
    table = empty_table(title, "compared with", "fields", "different")
    wrong = [subject for subject, *_ in comparison.differences]
    for subject, fields in comparison.fields.items():
        table.add_row(subject, str(fields), str(wrong.count(subject)))
    return table
