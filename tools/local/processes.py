"""Starts processes that carry a mark in their environment, and ends exactly those that carry it.

The emulator starts the functions' binaries and leaves them behind when it is killed. They inherit its environment, and
so the mark, which is drawn anew for each platform: neither a name nor a reused process id can lead to somebody else's.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

MARK = "LOCAL_PLATFORM"
_PR_SET_CHILD_SUBREAPER = 36


def environment(mark, **more):
    """The environment of everything we start: the caller's, without any AWS account it may know of."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "SAM_CLI_TELEMETRY": "0",
    }
    return {**kept, **nowhere, MARK: mark, **more}


def start(argv, env, log, stdout=None):
    """Starts a process in a session of its own, so that Ctrl-C reaches only us; its output goes to `log`."""
    with open(log, "ab") as sink:
        return subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout or sink,
            stderr=sink,
            start_new_session=True,
        )


def marked(mark):
    """Ids of the living processes that carry the mark."""
    entry = f"{MARK}={mark}".encode()
    if Path("/proc/self/environ").exists():
        return [pid for pid in _proc_ids() if entry in _proc_environment(pid)]
    listed = subprocess.run(["ps", "-A", "-E", "-o", "pid=,command="], capture_output=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if entry in line.split() and not _is_self(line)]


def functions(mark):
    """The living processes of functions that carry the mark, by id: which function each is. Linux only."""
    entry, found = b"AWS_LAMBDA_FUNCTION_NAME=", {}
    for pid in marked(mark):
        for each in _proc_environment(pid):
            if each.startswith(entry):
                found[pid] = each.removeprefix(entry).decode()
    return found


def stop(mark, first=None, patience=5.0):
    """Ends every process that carries the mark: the first one alone, which may end others; then the rest, asked once
    and then killed. Gives how many there were."""
    found = marked(mark)
    if first in found:
        _end([first], lambda: first in marked(mark), signal.SIGTERM, patience)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        _end(marked(mark), lambda: marked(mark), sign, patience)
    return len(found)


def end_children():
    """Ends what this process has started and takes the exit codes, so that nothing of it is left to see."""
    _end(_children(), _children, signal.SIGKILL, 5.0)


def adopt():
    """Makes this process the parent of those that its children leave behind, where the system can (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end(pids, living, sign, patience):
    until = time.monotonic() + patience
    for pid in pids:
        _signal(pid, sign)
    _reap()
    while living() and time.monotonic() < until:
        time.sleep(0.05)
        _reap()


def _children():
    if not Path("/proc/self/stat").exists():
        return []
    return [pid for pid in _proc_ids() if _proc_stat(pid)[1:] == [str(os.getpid())]]


def _proc_ids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _proc_stat(pid):
    """State and parent of a living process; its state alone, Z, once it has ended."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return ["Z"]
    return ["Z"] if state == "Z" else [state, parent]


def _proc_environment(pid):
    try:
        return [] if _proc_stat(pid) == ["Z"] else Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _is_self(line):
    return int(line.split()[0]) == os.getpid()


def _signal(pid, sign):
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        pass


def _reap():
    """Takes the exit codes of our own children, which would otherwise stay as zombies until we end."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
