"""Files of the flows that take them, but those about stages: one lane per flow, small files, some of them with bad rows."""

import gzip

from ..demo_files import ACKS, EXTRACT, FORECAST, KWH, KWH_HEADER, NETWORK, SCORE_HEADER, SCORES, FileStory, valued
from .senders import Sender

NETWORK_HEADER = "servicePointId,transformerId,feederId,substationId,syncFlag,changeDateTime\n"
FORECAST_HEADER = (
    "SPId,ProgramId,ForecastCreatedTime,ForecastStartTime,ForecastEndTime,IntervalSize(Seconds),LoadReductionKw1,LoadReductionKw2\n"
)
EXTRACT_HEADER = (
    "syncRequestId,syncFlag,action,subscriptionId,subscriptionType,status,programId,programCode,cisPersonId,cisAccountId,cisPremiseId,"
    "cisServicePointId,servicePointId,startDateTime,endDateTime,changeDateTime\n"
)
REFUSAL = (11205, 301, "service point is unknown")
"""Category, number and comment with which OUAI refuses some enrollments."""


def lanes():
    """(flow, seconds between two files, what drops the nth) of each flow."""
    return [(SCORES, 7.0, _scores), (KWH, 7.0, _kwh), (NETWORK, 9.0, _network), (FORECAST, 9.0, _forecast), (EXTRACT, 9.0, _extract)]


def _scores(sender: Sender, n, rng):
    rows, bad = _rows(rng, 150, lambda row, good: (
        f"DC{n:04}{row:05},HES-NORTH,nic-{n:04}-{row:04},SUMMER-T,{f'{row % 90}.50' if good else 'twelve'},Y,2026-07-01T05:00:00-04:00,,,,,\n"))
    faults = [(line, "score", '"twelve" is not a decimal number') for line in bad]
    plain = (SCORE_HEADER + rows).encode()
    if faults:
        story = valued("scores", SCORES, f"SDCSE_C{n:04}.csv", plain, faults)
    else:
        story = valued("scores, gzip", SCORES, f"SDCSE_C{n:04}.csv.gz", gzip.compress(plain, mtime=0), plain=plain)
    _drop(sender, story, rng)


def _kwh(sender, n, rng):
    times = "2026-07-01T14:00:00-05:00,2026-07-01T15:00:00-05:00,900,9.00"
    rows, bad = _rows(rng, 200, lambda row, good: (
        f"EV-{n},Economic,90000001,SP{n:04}{row:05},{times},{'4.00' if good else '4.50'},1.00,1.00,1.00,1.00\n"))
    faults = [(line, "TotalKwhSavedForPeriod", "but the 4 intervals sum to 4.00") for line in bad]
    _drop(sender, _published("kWh avoided", KWH, n, KWH_HEADER + rows, faults), rng)


def _network(sender, n, rng):
    rows, bad = _rows(rng, 200, lambda row, good: (
        f"SP{n:04}{row:05},{f'TX-{row}' if good else ''},FD-12,SUB-NORTH,F1IC,2026-05-20T08:00:00-04:00\n"))
    _drop(sender, _published("network location", NETWORK, n, NETWORK_HEADER + rows, [(line, "transformerId", "is empty") for line in bad]), rng)


def _forecast(sender, n, rng):
    times = "2026-06-30T20:00:00-05:00,2026-07-01T00:00:00-05:00,2026-07-01T02:00:00-05:00,3600"
    rows, bad = _rows(rng, 200, lambda row, good: f"{f'SP{n:04}{row:05}' if good else ''},90000001,{times},1.20,-0.40\n")
    _drop(sender, _published("forecast", FORECAST, n, FORECAST_HEADER + rows, [(line, "SPId", "is empty") for line in bad]), rng)


def _extract(sender, n, rng):
    """Enrollments for OUAI, a sync request each; DACS hears from us of those whose row is bad."""
    rest = "DR,ACTIVE,90000001,SUMMER-T,P,A,PR,CSP"
    rows, bad = _rows(rng, 20, lambda row, good: (
        f"{_sync_id(n, row)},F1IC,ENROLL,S-{n}-{row},{rest},{f'SP-{n}-{row}' if good else ''},2026-06-01T00:00:00-05:00,,2026-07-01T04:30:00-04:00\n"))
    count = rows.count("\n")
    sender.world.sandbox("dacs/sync-requests", {"ids": [_sync_id(n, row) for row in range(count)]})
    story = _published("enrollment extract", EXTRACT, n, EXTRACT_HEADER + rows, [(line, "servicePointId", "is empty") for line in bad])
    _drop(sender, story, rng)


def acknowledged(key, rows, rng):
    """The file in which OUAI says of each row in its inbox what it has made of it; one row of some files is bad."""
    category, number, comment = REFUSAL
    text = "syncRequestId,status,messageCategory,messageNumber,comments\n"
    for row in rows:
        text += f"{row['syncRequestId']}," + (f"ERROR,{category},{number},{comment}\n" if rng.random() < 0.2 else "SUCCESS,,,\n")
    faults = []
    if rng.random() < 0.4:
        text += "99999999999999,MAYBE,,,\n"
        faults = [(len(rows) + 2, "status", '"MAYBE" is neither SUCCESS nor ERROR')]
    return valued("acknowledgements", ACKS, "ACK_" + key.rpartition("/")[2], text.encode(), faults)


def _sync_id(n, row):
    return f"97{n:06}{row:06}"


def _rows(rng, most, row):
    """Up to so many rows, and the lines of those that are bad: none in half of the files, else a few of a hundred."""
    count, share = rng.randint(most // 4, most), rng.choice((0.0, 0.0, 0.03, 0.05))
    good = [rng.random() >= share for _ in range(count)]
    return "".join(row(place, is_good) for place, is_good in enumerate(good)), [place + 2 for place, is_good in enumerate(good) if not is_good]


def _published(title, flow, n, text, faults) -> FileStory:
    return valued(title, flow, f"C_{n:04}.csv", text.encode(), faults, same_bytes=not faults)


def _drop(sender, story, rng):
    sender.drop(story, announced_again=rng.random() < 0.2)
