"""What is known of the platform of this clone, in `.local/platform.json`. Tests and tools read it from there."""

import json
import os
import shutil
from pathlib import Path

from . import processes
from .progress import Failed

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".local"
FILE = FOLDER / "platform.json"


def write(facts):
    """Replaces the file whole, so that a reader never sees half of it."""
    fresh = FILE.with_suffix(".new")
    fresh.write_text(json.dumps(facts, indent=2) + "\n")
    fresh.chmod(0o600)
    os.replace(fresh, FILE)


def read():
    """The running platform's facts. Fails when none runs or it is not ready."""
    facts = peek()
    if not facts or not processes.marked(facts["mark"]):
        raise Failed("No platform runs in this clone. Start one with `make up`.")
    if "outputs" not in facts:
        raise Failed("The platform of this clone is still being started, or its start failed: `make down`, then `make up`.")
    return facts


def peek():
    """The facts as last written, or None."""
    try:
        return json.loads(FILE.read_text())
    except FileNotFoundError:
        return None


def clear():
    """Forgets the platform; its logs stay until the next start."""
    FILE.unlink(missing_ok=True)
    shutil.rmtree(FOLDER / "tmp", ignore_errors=True)
