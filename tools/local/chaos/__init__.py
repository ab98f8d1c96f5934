"""`make chaos`: the real binaries on the emulator under traffic of all flows, while processes are killed, neighbours fail and S3
says 503. Then the faults end, all is waited for, and what the senders sent is held against what everybody's books say.

It is the simulation's question put to what is deployed. The simulation has ten thousand schedules and every order of events in
virtual time; this has one, with the real AWS client, runtime, HTTP and processes.
"""

import random
import threading
import time

from .. import demo_messages, platform
from ..demo_check import Comparison
from ..demo_world import World
from ..journeys.enrollment import ASSET_TYPES
from ..progress import Failed, step
from . import account, check_files, check_messages, events, files, messages, minds
from .monkey import Monkey, plan
from .proxy import Proxy
from .senders import PATIENCE, Book, Sender
from .settle import queued, settle

SERVICES = {"error-handler", "file-intake", "watch"}
"""Functions that are no flows."""
QUIET = 420.0
"""Seconds in which all must have come to its end once nothing goes wrong any more. Twice the 130 s after which the queue shows a
file again whose function was killed, and what waits behind it."""
PARAMETERS = ("StatusHoldSeconds=600",)
"""A killed function delays a status by more than the local platform's 20 seconds."""


def chaos(seconds, seed):
    """Gives the exit code: 0 when the books balance. Leaves nothing behind, however it ends."""
    seed = seed or random.randrange(1_000_000)
    print(f"\n== chaos for {seconds} s, seed {seed} (make chaos SEED={seed} SECONDS={seconds}: the same traffic and faults; "
          "whom they meet is a matter of timing)")
    facts = platform.up(parameters=PARAMETERS)
    try:
        with step("fault proxy before S3") as running:
            proxy = Proxy(facts)
            running.note = f"{proxy.url}, for {proxy.stand_between(facts)} functions"
        world = World(facts)
        world.set_lookup("Program", demo_messages.PROGRAMS)
        world.set_lookup("AssetType", ASSET_TYPES)
        return _play(world, proxy, seconds, seed)
    finally:
        ended = platform.down(facts["mark"])
        print(f"\nStopped everything that was started ({ended} processes). Logs stay in .local/ until the next start.")


def _play(world, proxy, seconds, seed):
    book = Book()
    sender = Sender(world, book)
    monkey = Monkey(world, proxy, sender.posting, plan(seed, seconds))
    answered, over = set(), threading.Event()
    print(f"\n== traffic and faults: {len(monkey.blows)} blows in {seconds} s")
    begun = time.monotonic()
    lanes = [_thread(book, _lane, sender, lane, seed, begun + seconds) for lane in (*messages.lanes(), *files.lanes(), events.lane())]
    others = [_thread(book, _mind, book, over, each) for each in _minds(sender, answered, seed)]
    striking = _thread(book, monkey.run, begun)
    _watch(lanes, striking, sender, monkey, begun)
    for each in lanes:
        each.join(PATIENCE)
    monkey.heal()
    print("\n== nothing goes wrong any more; all must come to its end")
    ledger, left = settle(world, lambda: minds.waiting(sender, answered) + sum(each.is_alive() for each in lanes), QUIET)
    over.set()
    for each in others:
        each.join(PATIENCE)
    comparison = Comparison()
    comparison.same("traffic", "flows without any: give more SECONDS", set(), set(world.facts["functions"]) - SERVICES - book.flows())
    comparison.same("all came to its end", "not yet", {}, left)
    analyzed = check_files.compare(comparison, world, book, ledger)
    check_messages.compare(comparison, world, book, ledger, analyzed)
    comparison.same("queues", "dead letters and all others", {}, dict(queued(world)))
    comparison.same("senders", "failures", [], book.failures)
    account.show(world, book, ledger, comparison, monkey)
    fields, differences = sum(comparison.fields.values()), len(comparison.differences)
    verdict = "The books balance" if not differences else f"The books DO NOT balance (seed {seed})"
    print(f"\n{verdict}: {fields} fields compared, {differences} different.")
    return 1 if differences else 0


def _lane(sender, lane, seed, until):
    """Sends one thing of a flow after the other."""
    flow, pace, play = lane
    rng, n = random.Random(f"{seed}/{flow}"), 0
    time.sleep(rng.uniform(0.0, pace))
    while time.monotonic() < until:
        n += 1
        play(sender, n, rng)
        time.sleep(rng.uniform(0.5, 1.5) * pace)


def _minds(sender, answered, seed):
    rng = random.Random(f"{seed}/ouai")
    return lambda: minds.derms_answers(sender), lambda: minds.ouai_answers(sender, answered, rng)


def _mind(book, over, think):
    while not over.wait(1.5):
        try:
            think()
        except Failed as why:
            book.failures.append(str(why))


def _watch(lanes, striking, sender, monkey, begun):
    """Says every ten seconds how far it is, until the last lane has ended."""
    shown = 0.0
    while striking.is_alive() or any(each.is_alive() for each in lanes):
        time.sleep(0.5)
        passed = time.monotonic() - begun
        if passed - shown >= 10:
            shown = passed
            (sent, dropped), blows = sender.book.sent(), sum(monkey.struck.values())
            print(f"  {passed:4.0f} s  {sent} messages, {dropped} files, {sum(sender.book.again.values())} sent again; {blows} blows", flush=True)


def _thread(book, work, *arguments):
    """Runs it beside; why it failed is noted in the book."""
    def run():
        try:
            work(*arguments)
        except Failed as why:
            book.failures.append(str(why))
        except Exception as fault:  # Whatever it is: it must show, and not only in a thread's last words.
            book.failures.append(f"{getattr(work, '__name__', work)}: {fault!r}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
