"""Steps as a person sees them: what runs, how long it took, what came of it."""

import sys
import time
from contextlib import contextmanager


WIDTH = 38
"""Of the titles."""


class Failed(Exception):
    """Something a person can act on; its text is all that is shown."""


class Step:
    """One running step; what is put in `note` is printed when it ends."""

    def __init__(self):
        self.note = ""


@contextmanager
def step(title):
    """Prints the title, runs the body, prints the time it took and the note it left."""
    begun = time.monotonic()
    live = sys.stdout.isatty()
    if live:
        print(f"  {title:<{WIDTH}} …", end="", flush=True)
    running = Step()
    try:
        yield running
    except BaseException:
        end = "\r" if live else ""
        print(f"{end}  {title:<{WIDTH}} failed after {time.monotonic() - begun:.1f} s", flush=True)
        raise
    end = "\r" if live else ""
    print(f"{end}  {title:<{WIDTH}} {time.monotonic() - begun:5.1f} s  {running.note}", flush=True)
