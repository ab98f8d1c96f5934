"""What goes wrong: function processes are killed, the neighbours are down, slow, too busy or lose their answers, S3 says 503.

The seed decides what happens when; whom a kill meets is decided by who lives then."""

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass

from .. import processes, state
from ..demo_world import World
from .proxy import Proxy

TARGETS = ("dacs", "derms")
KILL, STORE = "kill -9", "S3 503"
KINDS = {
    "down": {"kind": "down"},
    "503": {"kind": "error", "status": 503},
    "503, Retry-After": {"kind": "error", "status": 503, "retryAfterSeconds": 2},
    "429": {"kind": "rateLimit", "perSecond": 2, "retryAfterSeconds": 1},
    "slow": {"kind": "latency", "millis": 1500},
    "very slow": {"kind": "latency", "millis": 25000},
    "answer lost": {"kind": "dropAnswer"},
    "half an answer": {"kind": "partialAnswer"},
}
"""Faults of the neighbours, as their sandbox takes them. Very slow is longer than a function waits for a call."""
CODES = ("SlowDown", "ServiceUnavailable")
EXITED = "Runtime exited before returning a response"
"""What the emulator logs when a function's process ends in the middle of an invocation."""


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong."""

    at: float
    kind: str
    where: str
    seconds: float
    percent: int


def plan(seed, seconds):
    """What goes wrong in so many seconds of traffic, in order."""
    rng, blows, at = random.Random(f"{seed}/monkey"), [], 3.0
    while at < seconds:
        kind = rng.choices((KILL, STORE, *KINDS), (16, 6, *(2 for _ in KINDS)))[0]
        where = rng.choice(TARGETS) if kind in KINDS else rng.choice(CODES) if kind == STORE else rng.choice(("working", "working", "door", "door", "any"))
        blows.append(Blow(at, kind, where, min(rng.uniform(2.0, 8.0), seconds - at), rng.choice((50, 80, 100))))
        at += rng.uniform(0.5, 3.0)
    return blows


class Monkey:
    """Strikes by plan, and counts what it hit."""

    def __init__(self, world: World, proxy: Proxy, posting, blows):
        self.world, self.proxy, self.posting, self.blows = world, proxy, posting, blows
        self.struck, self.hits, self.rules = Counter(), Counter(), []

    def run(self, begun):
        """Strikes until the plan is done; then everything is well again."""
        for blow in self.blows:
            self._until(begun + blow.at)
            self._strike(blow)
        self._until(begun + max((blow.at + blow.seconds for blow in self.blows), default=0.0))
        self.heal()

    def heal(self):
        """Ends every fault that is in force."""
        self.proxy.heal()
        for _, kind, rule in self.rules:
            self._end(kind, rule)
        self.rules = []

    def in_the_middle(self):
        """How many kills met a function that was at work."""
        return (state.FOLDER / "emulator.log").read_text(errors="replace").count(EXITED)

    def _strike(self, blow):
        if blow.kind == KILL:
            self._kill(blow)
        elif blow.kind == STORE:
            self.proxy.refuse(blow.percent, blow.where, blow.seconds)
            self.struck[STORE] += 1
        else:
            rule = {"system": blow.where, "percent": 100 if blow.kind == "429" else blow.percent, "fault": KINDS[blow.kind]}
            self.rules.append((time.monotonic() + blow.seconds, f"{blow.where}: {blow.kind}", self.world.sandbox("faults", rule)["id"]))
            self.struck[f"{blow.where}: {blow.kind}"] += 1

    def _kill(self, blow):
        """The function that called a target last, one that is being posted to, or any; by its process id."""
        until = time.monotonic() + 2.0
        while blow.where == "door" and not self.posting and time.monotonic() < until:
            time.sleep(0.01)
        doors, living = list(self.posting), processes.functions(self.world.facts["mark"])
        pids = []
        if blow.where == "working":
            pids = [pid for pid in self._callers() if pid in living]
        elif blow.where == "door":
            pids = [pid for pid, name in living.items() if name.removeprefix(f"{self.world.facts['stack']}-") in doors]
        chosen = random.choice(pids or sorted(living)) if living else None
        if chosen:
            os.kill(chosen, signal.SIGKILL)
            self.struck[KILL] += 1
            self.hits[living[chosen]] += 1

    def _callers(self):
        """Instances sign the rate of a target with flow and process id when they reserve a call."""
        for target in TARGETS:
            rate = self.world.item(f"target#{target}", "rate") or {}
            pid = str(rate.get("by", "")).rpartition("#")[2]
            if pid.isdigit():
                yield int(pid)

    def _until(self, moment):
        while (left := moment - time.monotonic()) > 0:
            self._end_old()
            time.sleep(min(left, 0.2))
        self._end_old()

    def _end_old(self):
        over = [each for each in self.rules if each[0] <= time.monotonic()]
        for each in over:
            self._end(*each[1:])
            self.rules.remove(each)

    def _end(self, kind, rule):
        """Takes a rule of the sandbox out, and notes how often it hit."""
        for each in self.world.sandbox("faults")["rules"]:
            if each["id"] == rule:
                self.hits[kind] += each["hits"]
        self.world.sandbox(f"faults/{rule}", method="DELETE")
