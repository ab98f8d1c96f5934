"""`make demo`: the flows on real files and messages, good and bad, and an account of what became of them.

The account is what the platform says: its ledger, reject files and notices. It is then compared, field by field, with
what was sent and with what the neighbours hold: the DERMS's and DACS's books, and DACS's inbox. At last three journeys are
told across all flows, and the systems asked whether they agree.
"""

import time

from . import demo_account, demo_check, demo_devices, demo_files, demo_messages, demo_stages, journeys, platform
from .demo_world import World
from .progress import step

LOOKUPS_ARE_FRESH = 62
"""Seconds after which every running instance has read a lookup again."""


class Told:
    """All stories that have been told, and the notices that people got."""

    def __init__(self, world):
        self.world = world
        self.files, self.messages, self.records, self.refusals, self.notices = [], [], [], [], []
        self.stages, self.statuses, self.journeys = demo_stages.stages(), [], []


def demo():
    """Gives the exit code: 0 when the account agrees with the books. Leaves nothing behind, however it ends."""
    begun = time.monotonic()
    print("\n== start and deploy")
    facts = platform.up()
    try:
        world = World(facts)
        told = _play(world)
        comparison = demo_check.compare(told)
        told.journeys = journeys.tell(world)
        for agreement in told.journeys:
            agreement.compare(comparison)
        differences = demo_account.show(told, comparison, time.monotonic() - begun)
    finally:
        ended = platform.down(facts["mark"])
        print(f"\nStopped everything that was started ({ended} processes). Logs stay in .local/ until the next start.")
        print("Installed in this folder: .venv/ (tools, as pinned), target/ and dist/ (builds), .local/ (state and logs).")
    return 1 if differences else 0


def _play(world):
    """Tells every story. A lookup is read again within a minute of its change: the files are dropped while that passes."""
    told = Told(world)
    print("\n== files and messages")
    with step("a program that is not listed") as running:
        listed = demo_messages.program_by_code(world)
        running.note = f"refused: {listed.message['reason']}; now listed in the lookup"
    changed = time.monotonic()
    with step("a stage begins that nobody scheduled") as running:
        early = demo_stages.lost_predecessor(world)
        running.note = "held"
    _files(world, told)
    _wait(changed)
    with step("the same message, resent") as running:
        demo_messages.program_listed(world, listed)
        told.messages.append(listed)
        running.note = f"{listed.message['state'].lower()}, by the new version of the lookup"
    _messages(world, told)
    _events(world, told, early)
    told.notices = world.notices()
    return told


def _files(world, told):
    mixed = None
    for story in demo_files.score_stories():
        gzipped = story.name.endswith(".gz")
        _file(world, told, story, announced_again=gzipped)
        if gzipped:
            story.title += ", its event twice"
        if story.rejected and story.state == "Delivered":
            mixed = story
            _file(world, told, demo_files.corrected(world, mixed))
    for story in demo_files.kwh_stories():
        _file(world, told, story)
    with step("released by a person") as running:
        running.note = demo_files.released(world, told.files[-1])
    told.records = demo_messages.records(world)
    for story in demo_files.other_stories():
        _file(world, told, story)
    _file(world, told, demo_devices.reserved(world))
    to_dacs, to_ouai = demo_devices.outcomes()
    _file(world, told, to_dacs)
    with step(to_ouai.title) as running:
        running.note = demo_devices.play_same(world, to_ouai, to_dacs)
    told.files.append(to_ouai)


def _file(world, told, story, announced_again=False):
    with step(story.title) as running:
        running.note = demo_files.play(world, story, announced_again)
    told.files.append(story)


def _messages(world, told):
    stories = [
        ("enrolled, device replaced, unenrolled", lambda: list(demo_messages.life_of_a_subscription(world))),
        ("refused, corrected, resent", lambda: [demo_messages.corrected(world)]),
        ("acknowledged before, lookup broken", lambda: [demo_messages.acknowledged_before(world)]),
        ("acknowledged later, positive", lambda: [demo_messages.acknowledged_later(world, "30000000000004", "S-7104", True)]),
        ("acknowledged later, negative", lambda: [demo_messages.acknowledged_later(world, "30000000000005", "S-7105", False)]),
        ("DERMS down for two calls", lambda: [demo_messages.derms_recovers(world)]),
    ]
    for title, play in stories:
        with step(title) as running:
            played = play()
            told.messages += played
            requests = world.sandbox("dacs")["syncRequests"]
            running.note = ", ".join(f"{each.sync_id} {requests[each.sync_id]['state']}" for each in played)
    with step("requests that are not let in") as running:
        told.refusals = [*demo_messages.not_let_in(world), *demo_messages.sent_again(world, told.messages[1])]
        running.note = ", ".join(str(each.status) for each in told.refusals)


def _events(world, told, early):
    for title, play in (("event canceled as a whole", demo_stages.canceled_event), ("stages out of order", demo_stages.out_of_order)):
        with step(title) as running:
            played = play(world)
            told.statuses += played
            running.note = ", ".join(f"{each.message_id} {each.message['state'].lower()}" for each in played)
    with step("the lost SCHEDULED, supplied by a person") as running:
        demo_stages.supplied(world, early)
        told.statuses.append(early)
        running.note = f"{early.message_id} {early.message['state'].lower()}, then the stage began"


def _wait(since):
    left = LOOKUPS_ARE_FRESH - (time.monotonic() - since)
    if left > 0:
        with step("wait for the lookup") as running:
            time.sleep(left)
            running.note = "instances read lookups again after a minute"
