"""Senders as the contract wants them: what is not answered, or with 429 or 5xx, is sent again as it was, until it is taken."""

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from ..demo_files import FileStory
from ..demo_world import World
from ..progress import Failed

PATIENCE = 240.0
"""Seconds after which a sender no longer believes that a request will be taken."""


INTAKE = "file-intake"
"""The function that takes files over HTTP."""


@dataclass
class Message:
    """One message, and what must become of it."""

    flow: str
    id: str
    """Its message key; of an acknowledgement, and of an unavailability, what the key begins with."""
    body: object
    order: str = ""
    """What it shares its order with; none where the contract keeps none."""
    answer: str = "positive"
    """How the DERMS answers it: positive, error or later."""
    late: str = ""
    """What the DERMS or DACS hears of it later: positive or error; empty where nobody waits for anything."""
    taken: bool = False
    """Whether its sender has been told that it is taken."""
    settled: bool = False
    """Whether that later answer has been sent."""


@dataclass
class Request:
    """One request for enrollment of a list, and what its DERMS has been told of it."""

    flow: str
    id: str
    refused: bool
    told: dict = field(default_factory=dict)
    """Response code by value, of all answers."""


class Book:
    """What the senders have sent: the one side of the comparison."""

    def __init__(self):
        self.messages, self.requests, self.files, self.stages = [], [], [], {}
        self.again, self.failures = Counter(), []
        self._lock = threading.Lock()

    def sent_again(self, flow):
        """Counts one repetition."""
        with self._lock:
            self.again[flow] += 1

    def flows(self):
        """The flows to which anything was sent."""
        return {each.flow for each in (*self.messages, *self.requests, *self.files)}

    def sent(self):
        """How many messages and files so far."""
        return len(self.messages) + len(self.requests), len(self.files)


class Sender:
    """Posts and drops for all senders, and notes it in the book."""

    def __init__(self, world: World, book: Book):
        self.world, self.book = world, book
        self.posting = []  # The functions whose doors are being called right now.

    def post(self, message: Message, route, sender):
        """Posts a message of the book until it is taken."""
        self.book.messages.append(message)
        self.until_taken(message.flow, message.id, lambda: self.world.post(route, message.body, self.world.tokens[sender]))
        message.taken = True

    def drop(self, story: FileStory, announced_again=False):
        """Puts a file into the outbox of its source. S3 may tell of it twice."""
        story.dropped = self.world.drop(story.flow, story.name, story.body, **story.envelope)
        self.book.files.append(story)
        if announced_again:
            self.world.announce(story.dropped)
            self.book.sent_again(story.flow)

    def offer(self, story: FileStory, envelope):
        """Posts a file with its envelope, until it is taken."""
        self.until_taken(story.flow, story.name, lambda: self.world.offer_file(story.flow, envelope, story.body), INTAKE)
        story.dropped = self.world.offered(story.flow, envelope)
        self.book.files.append(story)

    def until_taken(self, flow, name, attempt, function=None):
        """Tries until the answer is 200 or 202; gives the answer. The door is the flow's own function unless another is named."""
        until, pause = time.monotonic() + PATIENCE, 0.5
        while True:
            self.posting.append(function or flow)
            status, answer = _answer_of(attempt)
            self.posting.remove(function or flow)
            if status in (200, 202):
                return status, answer
            if status and status < 500 and status != 429:
                raise Failed(f"{flow}: {name} was answered {status}: {answer}")
            if time.monotonic() > until:
                raise Failed(f"{flow}: {name} was not taken within {PATIENCE:.0f} s; the last answer is {status}: {answer}")
            self.book.sent_again(flow)
            time.sleep(pause)
            pause = min(pause * 1.5, 5.0)


def _answer_of(attempt):
    """The answer; status 0 where there is none."""
    try:
        return attempt()
    except (OSError, http.client.HTTPException, ValueError) as fault:
        return 0, repr(fault)
