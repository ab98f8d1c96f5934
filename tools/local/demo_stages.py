"""The demo's events: what the DERMS says of their stages, out of order and twice, and what becomes of the program events."""

from dataclasses import dataclass, field

from .demo_world import World

FLOW, ROUTE = "derms-dacs-event-status", "/v1/derms/event-status"
EARLY = "IN_PROGRESS came before SCHEDULED"
RETIMED = "the stage is known with other times"


@dataclass
class Status:
    """One message of the DERMS, and the acknowledgement that it must get."""

    title: str
    message_id: str
    event: str
    stages: list
    """(stage, status) of each that it lists; more members by [`more`]."""
    values: dict
    """By stage: the value that the acknowledgement must give, or the beginning of the reason."""
    more: dict = field(default_factory=dict)
    """Members of the message, or (under a stage's id) of a stage, other than usual."""
    refused: int = 0
    """Stages that are refused."""
    message: dict = None
    """The ledger's item."""
    acknowledged: dict = None
    """The acknowledgement, in the DERMS's books."""

    @property
    def body(self):
        """As it is sent."""
        stages = [{
            "stageId": stage, "programCode": "SUMMER-T", "status": status,
            "startDateTime": "2026-07-01T14:00:00-05:00", "endDateTime": "2026-07-01T16:00:00-05:00",
        } | self.more.get(stage, {}) for stage, status in self.stages]
        rest = {name: value for name, value in self.more.items() if not isinstance(value, dict)}
        return {"messageId": self.message_id, "drmsInstanceId": "DERMS-1", "eventId": self.event, "eventType": "ECONOMIC", "stages": stages} | rest


@dataclass
class Stage:
    """One stage, and the states that its program event must go through; none: there is no program event."""

    title: str
    event: str
    stage: str
    states: list
    start: str = "2026-07-01T19:00:00Z"
    end: str = "2026-07-01T21:00:00Z"

    @property
    def created(self):
        """What its program event must have been created with."""
        return {
            "eventExternalIdentifier": self.event, "externalIdentifier": self.stage,
            "programExternalIdentifier": "PRG-SUMMER-T", "programEventCategory": "X1EC",
            "startDateTime": self.start, "endDateTime": self.end,
        }


def stages():
    """What every stage comes to."""
    return [
        Stage("in order, each once", "EV-7001", "ST-7001-1", ["Scheduled", "In Progress", "Completed"]),
        Stage("not listed when its event is canceled", "EV-7001", "ST-7001-2", ["Scheduled", "Canceled"],
              "2026-07-01T23:00:00Z", "2026-07-02T00:00:00Z"),
        Stage("scheduled after its event was canceled", "EV-7001", "ST-7001-3", ["Scheduled", "Canceled"]),
        Stage("told backwards", "EV-7002", "ST-7002-1", ["Scheduled", "In Progress", "Completed"]),
        Stage("scheduled again with other times", "EV-7002", "ST-7002-2", ["Scheduled"]),
        Stage("without a program", "EV-7002", "ST-7002-3", []),
        Stage("its SCHEDULED was lost, and a person supplied it", "EV-7003", "ST-7003-1", ["Scheduled", "In Progress"]),
    ]


def lost_predecessor(world: World):
    """IN_PROGRESS of a stage that nobody scheduled: it is held, and nothing happens for now."""
    early = Status("IN_PROGRESS, its SCHEDULED lost", "EM-12", "EV-7003", [("ST-7003-1", "IN_PROGRESS")], {"ST-7003-1": EARLY}, refused=1)
    _send(world, early)
    return early


def supplied(world: World, early):
    """The hold is over: the operator knows that the stage was scheduled, and says so."""
    _end(world, early)
    world.operate("supply-predecessor", f"{early.event}/{early.stages[0][0]}")
    world.until("the supplied stage to begin", lambda: _program_event(world, "ST-7003-1").get("state") == "In Progress")


def canceled_event(world: World):
    """Two stages, one of which runs to its end; then the event is canceled as a whole; then a third stage comes late."""
    one, two, three = "ST-7001-1", "ST-7001-2", "ST-7001-3"
    later = {"startDateTime": "2026-07-01T18:00:00-05:00", "endDateTime": "2026-07-01T19:00:00-05:00"}
    told = [
        Status("two stages", "EM-1", "EV-7001", [(one, "SCHEDULED"), (two, "SCHEDULED")], {one: "SCHEDULED", two: "SCHEDULED"}, {two: later}),
        Status("the first begins", "EM-2", "EV-7001", [(one, "IN PROGRESS")], {one: "IN_PROGRESS"}),
        Status("it ends", "EM-3", "EV-7001", [(one, "COMPLETED")], {one: "COMPLETED"}),
        Status("the event is canceled, no stage listed", "EM-4", "EV-7001", [], {one: "ALREADY_FINAL", two: "CANCELED"},
               {"status": "CANCELLED", "cancelReason": "the grid recovered"}),
        Status("a stage that comes later", "EM-5", "EV-7001", [(three, "SCHEDULED")], {three: "CANCELED"}),
    ]
    for status in told:
        _send(world, status)
        if status.message_id == "EM-1":
            _send(world, status, taken=(200, 202))  # The DERMS may repeat itself, and finds it done or not yet.
        _end(world, status)
    return told


def out_of_order(world: World):
    """One stage is told backwards; one is moved, which cannot be; one has no program."""
    one, two, three = "ST-7002-1", "ST-7002-2", "ST-7002-3"
    moved = {"startDateTime": "2026-07-01T15:00:00-05:00"}
    told = [
        Status("COMPLETED first", "EM-6", "EV-7002", [(one, "COMPLETED")], {one: "COMPLETED"}),
        Status("then IN_PROGRESS", "EM-7", "EV-7002", [(one, "IN_PROGRESS")], {one: "COMPLETED"}),
        Status("then SCHEDULED", "EM-8", "EV-7002", [(one, "SCHEDULED")], {one: "COMPLETED"}),
        Status("another, and one without a program", "EM-9", "EV-7002", [(two, "SCHEDULED"), (three, "SCHEDULED")],
               {two: "SCHEDULED", three: "NO_PROGRAM"}, {three: {"programCode": None}}),
        Status("scheduled again, other times", "EM-10", "EV-7002", [(two, "SCHEDULED")], {two: RETIMED}, {two: moved}, refused=1),
    ]
    for status in told[:3]:
        _send(world, status)
    for status in told[3:]:
        _send(world, status)
        _end(world, status)
    for status in told[:3]:
        _end(world, status)
    return told


def _send(world, status, taken=(202,)):
    answer, said = world.post(ROUTE, status.body, world.tokens["derms"])
    if answer not in taken:
        raise AssertionError(f"{status.message_id} was answered {answer}: {said}")


def _end(world, status):
    """Waits until the message has come to its end, and the DERMS knows."""
    status.message = world.ended_message(FLOW, status.message_id)
    status.acknowledged = world.until(
        f"the acknowledgement of {status.message_id}", lambda: world.sandbox("derms")["acks"].get(status.message_id)
    )


def _program_event(world, stage):
    return world.sandbox("dacs")["programEvents"].get(stage) or {}
