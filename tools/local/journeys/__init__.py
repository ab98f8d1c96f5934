"""The demo's journeys: three stories across the flows, each of which ends with the systems agreeing.

A system sends what it holds: DACS synchronizes the enrollments in its own books, OUAI acknowledges and measures what lies in its
inbox. At the end each system's books are asked what they say of the same thing, and compared with each other.
"""

from . import enrollment, event, settlement
from .agreement import Agreement

__all__ = ["Agreement", "tell"]


def tell(world):
    """Plays the three journeys, one after another, and gives what the systems say at the end of each."""
    print("\n== journeys")
    enrolled, subscriptions = enrollment.play(world)
    played, outcomes = event.play(world, subscriptions)
    return [enrolled, played, settlement.play(world, outcomes)]
