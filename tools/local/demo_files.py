"""The demo's files: what is dropped, and what must become of it, worked out here from the contract alone."""

import gzip
from dataclasses import dataclass, field

from .demo_world import Dropped, World, example, expected, rows_of

SCORES, KWH = "dacs-derms-device-score", "ouai-dacs-kwh-avoided"
NETWORK, FORECAST = "derms-dacs-network-location", "ouai-derms-load-reduction-forecast"
EXTRACT, ACKS = "dacs-ouai-enrollment-sync", "ouai-dacs-enrollment-ack"
RESERVATION, OUTCOME, OUAI_OUTCOME = "derms-dacs-device-reservation", "derms-dacs-device-outcome", "derms-ouai-device-outcome"
INBOXES = {
    KWH: "DacsInboxBucket", NETWORK: "DacsInboxBucket", FORECAST: "DermsInboxBucket", EXTRACT: "OuaiInboxBucket", OUAI_OUTCOME: "OuaiInboxBucket",
}
"""The inbox of each flow from file to file, by the name of its output."""
SCORE_HEADER = (
    "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime,subscriptionId,servicePointId,"
    "availableFrom,availableTo,unavailableReason\n"
)
KWH_HEADER = (
    "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),TotalKwh,"
    "TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2,KwhSaved3,KwhSaved4\n"
)


@dataclass
class FileStory:
    """One file: what it is to show, and what it must come to."""

    title: str
    flow: str
    name: str
    body: bytes
    state: str = "Delivered"
    reason: str = ""
    """Part of the reason why the file ended so; empty when there must be none."""
    rejected: list = field(default_factory=list)
    """(line, column, part of the reason) of each rejected row; for a file rejected whole, of the file."""
    delivered: list = field(default_factory=list)
    """Each delivered row, by column."""
    repeated: int = 0
    inbox: str = ""
    """The key under which it appears in the inbox."""
    same_bytes: bool = False
    """Whether it appears there byte for byte."""
    was_held: bool = False
    """Whether a person had to decide first."""
    parent: str = None
    """The run whose reject file this is, corrected."""
    envelope: dict = field(default_factory=dict)
    """The object's metadata."""
    dropped: Dropped = None
    run: dict = None

    @property
    def rows(self):
        """Records after the header, as the books must have them: none where the file could not be understood."""
        if self.state == "Rejected":
            return 0
        return HELD_ROWS if self.state == "Held" else len(self.delivered) + self.repeated + len(self.rejected)


def play(world: World, story, announced_again=False):
    """Drops the file and waits until its run has ended; what is said of it, in a few words."""
    story.dropped = world.drop(story.flow, story.name, story.body, **story.envelope)
    story.run = world.settled_run(story.dropped)
    if announced_again:
        world.announce_again(story.dropped)
        story.run = world.settled_run(story.dropped)
    counts, ended = story.run["counts"], story.run["state"].lower()
    if ended == "delivered":
        return f"delivered: {counts['delivered']} rows, {counts['rejected']} rejected"
    return story.run["reason"] if ended == "held" else f"{ended}: {story.run['reason']}"


def score_stories():
    """Score files of which some rows, or all, or none are good. The fifth is made of the second one's reject file."""
    good = example(SCORES, "valid-scores.csv")
    gzipped = (SCORE_HEADER + "".join(_score(100 + n, score=f"{n}.50") for n in range(300))).encode()
    return [
        valued("score file, all rows good", SCORES, "SDCSE_0701.csv", good),
        valued("score file, good and bad rows", SCORES, "SDCSE_0702.csv", _mixed_scores().encode(), MIXED, repeats=[9]),
        valued("score file, gzip", SCORES, "SDCSE_0703.csv.gz", gzip.compress(gzipped, mtime=0), plain=gzipped),
        FileStory(
            "score file without two columns", SCORES, "SDCSE_0704.csv", example(SCORES, "invalid-missing-columns.csv"),
            state="Rejected", reason="column nicId is missing", rejected=[(1, "", "column score is missing")],
        ),
    ]


def corrected(world: World, story):
    """The reject file of `story`, its rows mended as a person would, to be dropped again as a new file."""
    rows, _ = world.read("RejectsBucket", rejects_key(story, "rows"))
    for wrong, right in MENDED:
        if rows.count(wrong) != 1:
            raise AssertionError(f"{wrong!r} is {rows.count(wrong)} times in the reject file")
        rows = rows.replace(wrong, right)
    name = rejects_key(story, "rows").rpartition("/")[2]  # By it the new run knows its parent.
    mended = valued("its reject file, corrected", story.flow, name, rows)
    mended.parent = story.run["id"]
    return mended


def released(world: World, story):
    """A person has looked at the reasons, and lets the good rows of a held file go."""
    held = [line for line, _, _ in story.rejected]
    header, rows = rows_of(story.body)
    story.run = world.decide("release", story.dropped)
    story.title, story.state, story.reason, story.was_held = "another one, then released", "Delivered", "", True
    story.delivered = [dict(zip(header, fields)) for line, fields in rows if line not in held]
    story.inbox = f"kwh-avoided/{story.name}"
    return f"delivered: {story.run['counts']['delivered']} rows, {story.run['counts']['rejected']} rejected"


def kwh_stories():
    """kWh Avoided and kW Drop files."""
    clean = dict(same_bytes=True)
    bad = [(int(each["line"]), each["column"], each["reason"]) for each in expected(KWH, "invalid-several-rows.csv")]
    odd = "kW Drop, juillet 2026 + août & 100% done.csv"
    held = [(line, "TotalKwhSavedForPeriod", "but the 4 intervals sum to 4.00") for line in _held_lines()]
    tabs = example(KWH, "valid-tabs.csv")
    return [
        valued("kWh Avoided, clean", KWH, "KWH_0701.csv", example(KWH, "valid-kwh-avoided.csv"), **clean),
        valued("kWh Avoided, good and bad rows", KWH, "KWH_0702.csv", example(KWH, "invalid-several-rows.csv"), bad),
        valued("kWh Avoided, tab-separated", KWH, "KWH_0703.csv", tabs, delimiter="\t"),
        valued("kW Drop, a name that needs encoding", KWH, odd, example(KWH, "valid-kw-drop.csv"), **clean),
        FileStory(
            "kW Drop, columns of both kinds", KWH, "KW_0704.csv", example(KWH, "invalid-both-kinds.csv"),
            state="Rejected", reason="the columns belong to two kinds of file", rejected=[(1, "", "the columns belong to two kinds of file")],
        ),
        FileStory(
            "kWh Avoided, gzip that breaks off", KWH, "KWH_0705.csv.gz", example(KWH, "invalid-truncated.csv.gz"),
            state="Rejected", reason="breaks off", rejected=[(1, "", "breaks off")],
        ),
        _held("kWh Avoided, 150 of 2000 rows bad", "KWH_0706.csv", held),
        _held("another one like it", "KWH_0707.csv", held),
    ]


def _held(title, name, rejected):
    reason = "held: 150 of 2000 rows were rejected"
    return FileStory(title, KWH, name, _held_file().encode(), state="Held", reason=reason, rejected=list(rejected))


def other_stories():
    """Files of the other flows: each with one good file, or one in which a single row is bad."""
    spoiled = [
        (NETWORK, "network location", "valid-initial-load.csv", b"SP0000000002,,TX-1041", b"SP0000000002,,", (3, "transformerId", "is empty")),
        (FORECAST, "load-reduction forecast", "valid-forecast.csv", b"SP0000000002,", b",", (3, "SPId", "is empty")),
    ]
    for flow, kind, name, right, wrong, fault in spoiled:
        good = example(flow, name)
        yield valued(f"{kind}, clean", flow, "F_0701.csv", good, same_bytes=True)
        yield valued(f"{kind}, one row bad", flow, "F_0702.csv", _once(good, right, wrong), [fault])
    extract = _once(example(EXTRACT, "valid-extract.csv").replace(b"1000000000000", b"7000000000000"), b",SP0000000002,", b",,")
    yield valued("enrollment extract, one row bad", EXTRACT, "ENROLL_SYNC_0701.csv", extract, [(3, "servicePointId", "is empty")])
    acks = example(ACKS, "valid-acks.csv").replace(b"1000000000000", b"7000000000000")
    acks = _once(acks, b"70000000000002,ERROR", b"70000000000003,ERROR") + b"70000000000004,MAYBE,,,,,,\n"
    acks = b"".join(line for line in acks.splitlines(keepends=True) if not line.startswith(b"70000000000003,SUCCESS"))
    yield valued("acknowledgements of it, one row bad", ACKS, "ACK_0701.csv", acks, [(4, "status", '"MAYBE" is neither SUCCESS nor ERROR')])


def _once(body, right, wrong):
    if body.count(right) != 1:
        raise AssertionError(f"{right!r} is {body.count(right)} times in the example")
    return body.replace(right, wrong)


def rejects_key(story, kind):
    """Where a run's reject file is: `rows` or `reasons`."""
    name = story.name.rpartition("/")[2]
    return f"{story.flow}/{name}.{story.dropped.run_id}.{kind}.csv"


def rejected_rows(story):
    """The bytes that the run's `rows` file must have: the header and each rejected row, untouched."""
    lines = story.body.splitlines(keepends=True)
    starts = [line for line, _ in rows_of(story.body)[1]] + [len(lines) + 1]
    pieces = [lines[0]]
    for line, _, _ in story.rejected:
        end = starts[starts.index(line) + 1]
        pieces.append(b"".join(each for each in lines[line - 1 : end - 1] if each.strip()))
    return b"".join(pieces)


def valued(title, flow, name, body, rejected=(), repeats=(), plain=None, delimiter=",", same_bytes=False):
    """A story whose file is delivered but for the rows that are named."""
    header, rows = rows_of(plain or body, delimiter)
    skipped = {line for line, _, _ in rejected} | set(repeats)
    delivered = [dict(zip(header, fields)) for line, fields in rows if line not in skipped]
    inbox = f"{flow.split('-', 2)[2]}/{name}" if flow in INBOXES else ""
    return FileStory(
        title, flow, name, body, rejected=list(rejected), delivered=delivered, repeated=len(repeats), inbox=inbox, same_bytes=same_bytes
    )


def _score(number, score="1.00", nic=None, available="Y", at="2026-07-01T05:00:00-04:00", window=",", why=""):
    nic = f"00:1A:22:00:{number // 100:02}:{number % 100:02}" if nic is None else nic
    return f"D{number:011},ACME-HES,{nic},SUMMER-TSTAT,{score},{available},{at},{900000 + number},SP{number:010},{window},{why}\n"


def _mixed_scores():
    """Lines 2 to 11: two good rows, one of them over two lines, and seven that are not, or not again."""
    backwards = "2026-07-02T00:00:00-04:00,2026-07-01T00:00:00-04:00"
    return "".join([
        SCORE_HEADER,
        _score(11, "12.50"),
        _score(12, "twelve"),
        _score(13, "", available="N", why='"in repair,\nback in August"'),
        _score(14, "4.00", at="2026-07-01T05:00:00"),
        _score(15, "5.00", nic=""),
        _score(16, "6.00", available="?"),
        _score(11, "12.50"),
        _score(11, "13.75"),
        _score(17, "7.00", window=backwards),
    ])


MIXED = [
    (3, "score", '"twelve" is not a decimal number'),
    (6, "scoreDateTime", "has no offset from UTC"),
    (7, "nicId", "is empty"),
    (8, "available", '"?" is neither Y nor N'),
    (10, "", "duplicate of line 2"),
    (11, "availableTo", "is not after availableFrom"),
]
MENDED = [
    (b",twelve,", b",12.00,"),
    (b",2026-07-01T05:00:00,", b",2026-07-01T05:00:00-04:00,"),
    (b"ACME-HES,,", b"ACME-HES,00:1A:22:00:00:15,"),
    (b",?,", b",Y,"),
    (b"2026-07-02T00:00:00-04:00,2026-07-01T00:00:00-04:00", b"2026-07-01T00:00:00-04:00,2026-07-02T00:00:00-04:00"),
]


HELD_ROWS, HELD_BAD = 2000, 150


def _held_lines():
    return range(11, 11 + HELD_BAD * 13, 13)


def _held_file():
    """Rows of which some give a sum that is not the one of their intervals."""
    wrong = set(_held_lines())
    times = "2026-07-01T14:00:00-05:00,2026-07-01T15:00:00-05:00,900,9.00"
    rows = (f"4012,Economic,1234512345,SP{n:07},{times},{'4.50' if n in wrong else '4.00'},1.00,1.00,1.00,1.00\n" for n in range(2, 2 + HELD_ROWS))
    return KWH_HEADER + "".join(rows)
