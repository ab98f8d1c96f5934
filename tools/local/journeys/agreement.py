"""What each system says of the same things."""

from dataclasses import dataclass, field

SYSTEMS = ("DACS", "DERMS", "OUAI")


@dataclass
class Agreement:
    """One journey's end."""

    title: str
    lines: list = field(default_factory=list)
    """(about, what DACS says, what the DERMS says, what OUAI says); None where a system has nothing to do with it."""

    def says(self, about, dacs=None, derms=None, ouai=None):
        """Notes what the systems' books say of one thing, each in the same words when they agree."""
        self.lines.append((about, dacs, derms, ouai))

    def compare(self, comparison):
        """All that know of a thing say the same of it, and at least two do."""
        for about, *said in self.lines:
            known = [(system, each) for system, each in zip(SYSTEMS, said) if each is not None]
            comparison.same(f"journey: {self.title}", f"{about}: systems that know of it", True, len(known) > 1)
            (first, wanted), *others = known
            for system, each in others:
                comparison.same(f"journey: {self.title}", f"{about}: {first} and {system}", wanted, each)
