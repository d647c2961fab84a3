"""Ends what ci-gate started when ci-gate itself is killed and cannot do it.

A small process holds the reading end of a pipe. Whatever ends ci-gate closes the pipe, and the watchdog
then ends every guarded process and removes every guarded folder and container. One JSON object per line:
``{"guard": KEY, "mark": ..., "pgid": ..., "started": ..., "folder": ..., "label": ..., "log": ...}``,
``{"guard": KEY, "secret": ...}`` for what is to be taken out of every guarded log, or ``{"release": KEY}``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from ci_gate.addresses import kept_secrets
from ci_gate.errors import OutsideError
from ci_gate.service.guard.process_group import ProcessGroup, end_groups, read_stat
from ci_gate.service.masking import mask_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CLOSE_TIMEOUT_S = 60.0
PROCESS_GRACE_S = 3.0
MAX_SECRET_BYTES = 3 * 1024
"""So that an order stays below PIPE_BUF; of a longer secret, each of its lines is one."""
SETTLE_S = 0.1
"""A child that was being forked when its parent was killed carries its mark only after exec."""
READY = b"ready\n"


class Guard(NamedTuple):
    """What ``release`` takes."""

    key: int


class Watchdog:
    """A context manager around the process. Leaving it ends whatever has not been released.

    If the process does not start, the first guard of a process group or of a container raises OutsideError.
    Guard *before* starting where a mark or a label can be given beforehand: then there is no moment at
    which a kill leaves something behind. All methods may be called from any thread.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._keys = itertools.count(1)
        self._secrets: set[str] = set()  # those that the process knows
        self._process: subprocess.Popen[bytes] | None = None
        self._starting, self._is_up = threading.Lock(), False

    def __enter__(self) -> Self:
        """Does not wait until the process is ready: what it is told meanwhile waits in the pipe."""
        root = str(Path(__file__).parents[3])
        paths = [root, *filter(None, [self._environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ci_gate.service.guard.watchdog"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Held open, it would keep the reader of ci-gate's own standard error waiting.
            stderr=subprocess.DEVNULL,
            env={**self._environ, "PYTHONPATH": os.pathsep.join(paths)},
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )
        return self

    def _await_start(self) -> None:
        """Raises OutsideError if the process does not come up."""
        if self._is_up:
            return
        process = self._running()
        with self._starting:
            self._is_up = self._is_up or _stream(process.stdout).read(len(READY)) == READY
        if not self._is_up:
            # A process that is about to end may still hold its pipe open: what it is told would be lost.
            process.kill()
            process.wait()
            raise OutsideError(f"the watchdog process did not start: {sys.executable} -m {__name__}")

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._running().pid

    def guard_marked(self, mark: str) -> Guard:
        """Guards all processes that have CI_GATE_GUARD=mark in their environment, now or later."""
        return self._guard(mark=mark)

    def guard_process_group(self, pid: int) -> Guard:
        """Guards the process group that ``pid`` leads. A later process with the same number is safe."""
        self._await_start()
        stat = read_stat(pid)
        return self._guard(pgid=pid, started=stat.started if stat else None)

    def guard_container(self, label: str) -> Guard:
        """Guards all containers with this ``key=value`` label, now or later."""
        self._await_start()
        return self._guard(label=label)

    def guard_log(self, path: Path) -> Guard:
        """Guards the secrets that this process keeps: if it is killed, they are taken out of this log."""
        for secret in set(kept_secrets()) - self._secrets:
            if len(json.dumps(secret)) < MAX_SECRET_BYTES:
                self._guard(secret=secret)
            self._secrets.add(secret)
        return self._guard(log=str(path.resolve()))

    @contextlib.contextmanager
    def temporary_folder(self, prefix: str) -> Iterator[Path]:
        """A new private folder, removed when it is left: by the watchdog where ci-gate is killed before.

        Raises OutsideError where it cannot be made.
        """
        path = Path(tempfile.gettempdir(), f"{prefix}{uuid.uuid4().hex}")
        guard = self._guard(folder=str(path))  # before it is there: its name is drawn, and nobody else's
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            self.release(guard)
            raise OutsideError(f"cannot make the folder {path}: {error.strerror}") from error
        try:
            yield path
        finally:
            remove_folder(path)
            self.release(guard)

    def release(self, *guards: Guard) -> None:
        """Says that these have been ended. Never fails: it is called while cleaning up."""
        for guard in guards:
            with contextlib.suppress(OSError, OutsideError):
                self._send({"release": guard.key})

    def close(self) -> None:
        """Ends whatever is still guarded, and the watchdog. Waits until that is done."""
        process, self._process = self._process, None
        if process is None:
            return
        _stream(process.stdin).close()
        _stream(process.stdout).close()
        # Past that it goes on by itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLOSE_TIMEOUT_S)

    def _guard(self, **what: str | int | None) -> Guard:
        guard = Guard(next(self._keys))
        try:
            self._send({"guard": guard.key, **what})
        except OSError as error:
            self._await_start()
            raise OutsideError(f"the watchdog process has ended ({error}): something killed it") from error
        return guard

    def _send(self, order: dict[str, Any]) -> None:
        # One write below PIPE_BUF is never torn and never mixed with another thread's.
        os.write(_stream(self._running().stdin).fileno(), json.dumps(order).encode() + b"\n")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise OutsideError("the watchdog is not running")
        return self._process


def read_guards(lines: Iterable[bytes]) -> tuple[dict[str, Any], ...]:
    """What is still guarded once the pipe is closed."""
    guards: dict[int, dict[str, Any]] = {}
    for line in lines:
        order = json.loads(line)
        if "guard" in order:
            guards[order["guard"]] = order
        else:
            guards.pop(order["release"], None)
    return tuple(guards.values())


def end_guarded(guards: Iterable[dict[str, Any]]) -> None:
    """Ends processes first: that needs no engine which may not answer. Then no log is written any more."""
    left = tuple(guards)
    groups = [
        ProcessGroup(mark=order.get("mark"), pgid=order.get("pgid"), started=order.get("started"))
        for order in left
        if "mark" in order or "pgid" in order
    ]
    # Twice: what was forked but had not yet its mark the first time has it now.
    if groups:
        end_groups(*groups, grace_s=PROCESS_GRACE_S)
        time.sleep(SETTLE_S)
        end_groups(*groups, grace_s=0)
    for order in left:
        if "log" in order:
            mask_file(Path(order["log"]), [each["secret"] for each in left if "secret" in each])
        if "folder" in order:
            remove_folder(Path(order["folder"]))
    if labels := [order["label"] for order in left if "label" in order]:
        # Only now: importing the Docker SDK takes longer than all of the watchdog's start.
        from ci_gate.service.guard.containers import remove_until_settled

        remove_until_settled(labels)


def remove_folder(path: Path) -> None:
    """With all that is in it, as far as this user may: also what was made so that nobody can look into it."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o700)  # noqa: PTH101 - before os.walk goes into those below it
        shutil.rmtree(path, ignore_errors=True)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:  # pragma: no cover - both pipes are always asked for
        raise OutsideError("the watchdog has no pipe")
    return stream


def main() -> None:
    """The process itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):  # ci-gate was killed meanwhile: what is guarded is to be ended
        os.write(1, READY)
    end_guarded(read_guards(sys.stdin.buffer))


if __name__ == "__main__":
    main()
