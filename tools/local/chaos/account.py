"""The tables at the end: flow by flow what was sent and what became of it; what went wrong meanwhile; and whether the books agree."""

import sys
from collections import Counter

from rich.console import Console
from rich.text import Text

from ..demo_account import WIDTH, comparison_table, empty_table
from ..demo_files import RESERVATION, SCORES
from ..demo_messages import SYNC
from ..demo_stages import FLOW as EVENTS
from .check_messages import BOOKS, overtaken
from .messages import CHECK, REQUESTS, SYNCHRONIZED
from .minds import ACKS_OF
from .monkey import KILL, STORE

SHOWN = 60
"""Differences that are printed."""


def show(world, book, ledger, comparison, monkey):
    """Prints it all."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    for each in (_flows(world, book, ledger), _faults(monkey), comparison_table(comparison, "What was sent against the books")):
        console.print()
        console.print(each)
    for subject, what, sent, books in comparison.differences[:SHOWN]:
        console.print(Text(f"  {subject}: {what}\n    must be    {str(sent)[:600]}\n    the books  {str(books)[:600]}", style="red"))
    if len(comparison.differences) > SHOWN:
        console.print(Text(f"  … and {len(comparison.differences) - SHOWN} more", style="red"))


def _flows(world, book, ledger):
    columns = ("flow", "sent", "sent again", "rows", "delivered", "rejected", "answered later", "calls again", "effects twice")
    shown, (again, twice) = empty_table("Flows", *columns), _calls(world, book)
    for flow in sorted({story.flow for story in book.files}):
        runs = list(ledger.runs.get(flow, {}).values())
        counts = [str(sum(run["counts"][name] for run in runs)) for name in ("rows", "delivered", "rejected")]
        sent = sum(story.flow == flow for story in book.files)
        shown.add_row(flow, f"{sent} files", str(book.again[flow]), *counts, "", _or_dash(again, flow), _or_dash(twice, flow))
    shown.add_section()
    for flow in sorted({message.flow for message in book.messages} | {REQUESTS}):
        held = Counter(each["state"] for each in ledger.messages.get(flow, {}).values())
        sent = len(book.requests) if flow == REQUESTS else sum(message.flow == flow for message in book.messages)
        ends = [str(held[state]) for state in ("Delivered", "Refused", "AwaitingAck")]
        shown.add_row(flow, f"{sent} messages", str(book.again[flow]), "", *ends, _or_dash(again, flow), _or_dash(twice, flow))
    return shown


def _or_dash(counts, flow):
    return str(counts[flow]) if flow in counts else "–"


def _calls(world, book):
    """By flow, as the neighbours count: calls beyond one for a thing, and effects beyond one. Flows of which they keep no such
    count are left out; what is published in an inbox is there in one version, and compared as that."""
    dacs, derms, scores = world.sandbox("dacs"), world.sandbox("derms"), world.sandbox("derms/scores")
    kept = {flow: list(derms[name]["messages"].values()) for flow, name in BOOKS.items()}
    kept |= {SYNC: list(derms["messages"].values()), SCORES: [part for each in scores["sets"].values() for part in each["parts"].values()]}
    kept |= {REQUESTS: list(dacs["enrollments"]["requests"].values())}
    for flow in SYNCHRONIZED:
        late = {message.id for message in book.messages if message.flow == flow and message.answer == "later"}
        kept[ACKS_OF[flow]] = [each for name, each in dacs["syncRequests"].items() if name in late]
    kept[ACKS_OF[CHECK]] = list(dacs["deviceStatuses"].values())
    again = {flow: sum(max(each["calls"] - 1, 0) for each in books) for flow, books in kept.items()}
    twice = {flow: sum(max(each["effects"] - 1, 0) for each in books) for flow, books in kept.items()}
    for flow, name in BOOKS.items():
        twice[flow] -= sum(overtaken(derms[name]["messages"], each, book.messages) for each in book.messages if each.flow == flow)
    events = dacs["programEvents"]
    again[EVENTS] = sum(each["calls"] - each["effects"] for each in events.values())
    twice[EVENTS] = sum(max(each["effects"] - len(book.stages.get(stage, ())), 0) for stage, each in events.items())
    again[RESERVATION] = dacs["participations"]["repeats"]
    return again, twice


def _faults(monkey):
    shown = empty_table("What went wrong", "fault", "times", "struck")
    operations, seen = monkey.proxy.struck()
    killed = {name: times for name, times in monkey.hits.items() if name not in monkey.struck}
    shown.add_row(KILL, str(monkey.struck[KILL]), f"{monkey.in_the_middle()} in the middle of an invocation; {len(killed)} different functions")
    told = ", ".join(f"{name} {times}" for name, times in sorted(operations.items()))
    shown.add_row(STORE, str(monkey.struck[STORE]), f"{sum(operations.values())} of {seen} requests: {told}")
    for name, times in sorted(monkey.struck.items()):
        if name not in (KILL, STORE):
            shown.add_row(name, str(times), f"{monkey.hits[name]} calls")
    return shown
