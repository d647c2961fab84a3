"""Starts a command and stays above it: whatever the command leaves behind comes back to its keeper.

Run as a script, it reads ``{"words": [...], "env": {...}}`` from standard input and starts that in a session
of its own. ``"input": 7`` there is the descriptor that the command reads from; without it, it reads nothing.
The keeper is the parent of every process below it that loses its own (PR_SET_CHILD_SUBREAPER), whatever
group, session or environment that gave itself: so descent from the keeper shows what belongs to the command,
also after ci-gate was killed. It ends when nothing is left below it.

On the descriptor that its argument names it writes a JSON line when the command has started, ``{"pid": 7}``
or ``{"refused": "why"}``, and one when that has ended, ``{"status": 0}``; a status below 0 is a signal.

Standard library only, and run without the site: every service, Locust and ``before_each`` waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys

TYPE_CHECKING = False  # typing takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_STANDARD_STREAMS = 3


def main() -> None:
    """The process itself."""
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    # A handler and not SIG_IGN, which the command would inherit: it is the command that these are meant for.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    _adopt_orphans()
    order = json.load(sys.stdin.buffer)
    pid = _start(order, report)
    if pid is not None:
        _close_streams()  # what the command prints shall end when the command does
        _await_all(pid, report)


def _adopt_orphans() -> None:
    # Without it (not Linux, a Python without ctypes) groups and marks still find what does not hide.
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _start(order: dict[str, Any], report: int) -> int | None:
    """The process id of the command; None, and why in the report, where it cannot be started."""
    words = order["words"]
    source = order["input"] if "input" in order else os.open(os.devnull, os.O_RDONLY)
    try:
        os.environ.clear()
        os.environ.update(order["env"])  # the command is looked for in its own PATH
        pid = os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_CLOSE, source)],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them
        )
    except (OSError, ValueError) as error:  # ValueError: a null byte, or a name that no variable can have
        _write(report, {"refused": str(getattr(error, "strerror", None) or error)})
        return None
    finally:
        os.close(source)
    _write(report, {"pid": pid})
    return pid


def _close_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(_STANDARD_STREAMS):
        os.dup2(null, stream)


def _await_all(command: int, report: int) -> None:
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            pid, status = os.wait()
            if pid == command:
                _write(report, {"status": os.waitstatus_to_exitcode(status)})


def _write(report: int, value: dict[str, int | str]) -> None:
    with contextlib.suppress(OSError):  # ci-gate was killed: nobody reads
        os.write(report, json.dumps(value).encode() + b"\n")


if __name__ == "__main__":
    main()
