"""What each service point saved by an event, as OUAI finds it, and as DACS can pay for it."""

import csv
import io
from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from ..demo_files import KWH
from ..demo_world import World, records
from ..progress import step
from .agreement import Agreement

QUARTER = 900
SAVED = {"SUCCESS": Decimal("0.50"), "OVERRIDE": Decimal("0.10")}
"""By outcome: kWh of a device in a quarter of an hour, in this story."""


def play(world: World, outcomes):
    """The journey, from the outcomes in OUAI's inbox; gives the agreement."""
    with step("what each service point saved") as running:
        analyzed = records(world.read("OuaiInboxBucket", outcomes)[0])
        found = _measured(analyzed)
        dropped = world.drop(KWH, "KWH_J1.csv", _file(found))
        world.delivered_run(dropped)
        running.note = f"{len(found)} rows in DACS's inbox"
    return _agreement(world, dropped.key, analyzed)


def _measured(analyzed):
    """By event, program, service point and start: the end, and the kWh of each quarter of an hour."""
    found = {}
    for row in analyzed:
        if row["outcome"] not in SAVED:
            continue
        start, end = row["participationStartDateTime"], row["participationEndDateTime"]
        quarters = int((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()) // QUARTER
        key = (row["eventId"], row["programId"], row["servicePointId"], start)
        before = found.get(key, (end, [Decimal(0)] * quarters))[1]
        found[key] = (end, [kwh + SAVED[row["outcome"]] for kwh in before])
    return found


def _file(found):
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    longest = max(len(quarters) for _, quarters in found.values())
    columns = ["EventId", "EventType", "ProgramId", "SPId", "ActualStartTime", "ActualEndTime", "IntervalSize(Seconds)", "TotalKwh"]
    rows.writerow([*columns, "TotalKwhSavedForPeriod", *(f"KwhSaved{n}" for n in range(1, longest + 1))])
    for (event, program, place, start), (end, quarters) in found.items():
        rows.writerow([event, "Economic", program, place, start, end, QUARTER, "20.00", sum(quarters), *quarters])
    return text.getvalue().encode()


def _agreement(world, key, analyzed):
    """kWh of each service point and stage; and that those were measured whom DACS knows to have taken part."""
    agreement, body = Agreement("settlement"), world.read("DacsInboxBucket", key)[0]
    objections = world.sandbox(f"dacs/inbox/{key}", body, "PUT")["violations"]
    agreement.says("objections of DACS to the file", str(len(objections)), ouai="0")
    sums = {}
    for side, bucket in (("dacs", "DacsInboxBucket"), ("ouai", "OuaiOutboxBucket")):
        for row in records(world.read(bucket, key)[0]):
            place = (row["SPId"], row["ActualStartTime"])
            sums.setdefault(place, {})[side] = f"{row['TotalKwhSavedForPeriod']} kWh"
    for (place, start), said in sorted(sums.items()):
        agreement.says(f"{place} from {start}", **said)
    for place, (dacs, ouai) in sorted(_took_part(world, analyzed, sums).items()):
        agreement.says(f"times that {place} took part", str(dacs), ouai=str(ouai))
    return agreement


def _took_part(world, analyzed, measured):
    """By service point: the stages in which a device took part by DACS's books, and those that OUAI has measured."""
    told, stages = world.sandbox("dacs")["participations"]["outcomes"], defaultdict(set)
    for row in analyzed:
        outcome = told.get(row["stageId"], {}).get(f"{row['headEndSystemId']}/{row['nicId']}", {}).get("body", {}).get("outcome")
        if outcome in ("D1SP", "D1IO"):
            stages[row["servicePointId"]].add(row["stageId"])
    places = {place for place, _ in measured} | set(stages)
    return {place: (len(stages[place]), sum(of == place for of, _ in measured)) for place in places}
