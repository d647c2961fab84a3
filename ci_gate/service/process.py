"""A process in a group of its own, guarded from before its start until nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ci_gate.errors import BadInputError, OutsideError, Problem, ServiceError
from ci_gate.service.guard import keeper as keeper_program
from ci_gate.service.guard.process_group import MARK_VARIABLE, ProcessGroup, end_groups, find_below, read_stat
from ci_gate.service.log_bound import keep_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_gate.service.environment import ServiceContext
    from ci_gate.service.guard.watchdog import Watchdog
    from ci_gate.service.log import ServiceLog
    from ci_gate.thresholds import Service

START_TIMEOUT_S = 30.0
"""How long a keeper may take to start, on a machine that has no time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, without a shell. Both its outputs are appended to the log.

    After SIGTERM it has ``grace_s`` seconds until SIGKILL. Only one that ``reads_input`` has a standard
    input: what `GuardedProcess.write_input` is given.
    """

    words: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: ServiceLog
    grace_s: float
    reads_input: bool = False

    def __str__(self) -> str:
        """As it would be typed in a shell."""
        return shlex.join(self.words)


class GuardedProcess:
    """A command under its keeper (`ci_gate.service.guard.keeper`), which reports its start and its end.

    The keeper is not reaped before all below it has ended, so its number stays its own.
    """

    def __init__(
        self, keeper: subprocess.Popen[bytes], reports: int, command_input: IO[bytes] | None
    ) -> None:
        """``reports`` is where the keeper writes. Raises OSError if the command cannot be started."""
        self._keeper = keeper
        self._reports = reports
        self._input = command_input
        self._status: int | None = None
        report = self._read_report(START_TIMEOUT_S) or {}
        if "pid" not in report:
            raise OSError(None, report.get("refused", "its keeper did not start it"))
        self.pid = int(report["pid"])

    def process_ids(self) -> tuple[int, ...]:
        """The living processes of the command and all that descend from it."""
        below = {pid: read_stat(pid) for pid in find_below(self._keeper.pid) if pid != self._keeper.pid}
        return tuple(pid for pid, stat in below.items() if stat and stat.is_living)

    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal, as in subprocess."""
        return self.wait(0)

    def ended(self) -> str | None:
        """How it ended in words, None while it runs."""
        status = self.exit_status()
        return None if status is None else describe_status(status)

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, or None if it still runs after ``timeout_s``."""
        if self._status is None and self._reports >= 0 and (report := self._read_report(timeout_s)):
            self._status = int(report["status"])
        return self._status

    def write_input(self, text: bytes) -> None:
        """All that it is to read, once. Nothing where it has ended already."""
        if self._input is not None:
            with contextlib.suppress(BrokenPipeError), self._input as command_input:
                command_input.write(text)

    def close(self) -> None:
        """Keep how it ended, and let go of where that is read from."""
        self.wait(0)
        self._reports = -1

    def send_signal(self, number: int) -> None:
        """To the command alone. Nothing once it has ended: its number may be somebody else's."""
        stat = read_stat(self.pid)
        if stat is not None and stat.parent == self._keeper.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def restarts(self) -> int:
        """Nothing starts a process again."""
        return 0

    def _read_report(self, timeout_s: float) -> dict[str, Any] | None:
        """The keeper's next report, None if there is none in time."""
        if not select.select([self._reports], [], [], timeout_s)[0]:
            return None
        line = b""
        while not line.endswith(b"\n") and (byte := os.read(self._reports, 1)):
            line += byte
        if line:
            return dict(json.loads(line))
        # Something ended the keeper itself. WNOWAIT leaves it to be reaped later.
        ended = os.waitid(os.P_PID, self._keeper.pid, os.WEXITED | os.WNOWAIT)
        if ended is None:  # pragma: no cover - only with WNOHANG
            return None
        return {"status": ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status}


@contextlib.contextmanager
def start_process(command: Command, watchdog: Watchdog) -> Iterator[GuardedProcess]:
    """The running command; leaving the context ends it and all below it.

    The log is kept within bounds. Raises ServiceError if it cannot be started, and OutsideError if something
    of it cannot be ended.
    """
    with keep_bounded(command.log), _start_guarded(command, watchdog) as process:
        yield process


@contextlib.contextmanager
def _start_guarded(command: Command, watchdog: Watchdog) -> Iterator[GuardedProcess]:
    mark = uuid.uuid4().hex
    guards = [watchdog.guard_marked(mark), watchdog.guard_log(command.log.path)]
    group = ProcessGroup(mark=mark)
    keeper: subprocess.Popen[bytes] | None = None
    process: GuardedProcess | None = None
    reports, report = os.pipe()
    source, command_input = _make_input(command)
    try:
        with _explained(command):
            keeper = _start_keeper(mark, report, source, command)
            stat = read_stat(keeper.pid)
            group = ProcessGroup(mark=mark, pgid=keeper.pid, started=stat.started if stat else None)
            guards.append(watchdog.guard_process_group(keeper.pid))
            _hand_over(keeper, source, command, mark)
            process = GuardedProcess(keeper, reports, command_input)
        yield process
    finally:
        left = end_groups(group, grace_s=command.grace_s)
        # A start that was interrupted may still be forking: its guard stays, and the watchdog looks again.
        if keeper is not None and not left:
            keeper.wait()
            watchdog.release(*guards)
        if process is not None:
            process.close()
        if command_input is not None:
            with contextlib.suppress(BrokenPipeError):
                command_input.close()
        os.close(reports)
    if left:
        raise OutsideError(f"processes {', '.join(map(str, left))} of `{command}` survive SIGKILL")


@contextlib.contextmanager
def _explained(command: Command) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServiceError(f"cannot start `{command}` in {command.cwd}: {error.strerror}") from error


def split_command(text: str, *, service: Service, placement: ServiceContext, key: str) -> tuple[str, ...]:
    """Words as a shell would split them. Raises BadInputError for an open quote or an empty command."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise BadInputError(_problem(service, placement, f"service.{key}: {error}: {text}")) from error
    if not words:
        raise BadInputError(_problem(service, placement, f"service.{key} is empty"))
    return words


def describe_status(status: int) -> str:
    """``exit status 3``, or the signal that ended it."""
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
        hint = " (by the kernel, if memory ran out)" if name == "SIGKILL" else ""
        return f"killed by {name}{hint}"
    return f"killed by signal {-status}"


def _make_input(command: Command) -> tuple[int | None, IO[bytes] | None]:
    """Both ends of what the command reads; None where it reads nothing."""
    if not command.reads_input:
        return None, None
    source, into = os.pipe()
    return source, os.fdopen(into, "wb", buffering=0)


def _start_keeper(mark: str, report: int, source: int | None, command: Command) -> subprocess.Popen[bytes]:
    """Closes ``report`` and ``source`` here: whoever is at their other ends then sees the keeper's end."""
    handed_on = [report] if source is None else [report, source]
    try:
        with command.log.path.open("ab") as output:
            return subprocess.Popen(
                # Neither the command nor its environment may say which modules the keeper imports.
                [sys.executable, "-I", "-S", keeper_program.__file__, str(report)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK_VARIABLE: mark},
                cwd=command.cwd,
                start_new_session=True,
                pass_fds=handed_on,
            )
    finally:
        for descriptor in handed_on:
            os.close(descriptor)


def _hand_over(keeper: subprocess.Popen[bytes], source: int | None, command: Command, mark: str) -> None:
    order: dict[str, Any] = {"words": command.words, "env": {**command.env, MARK_VARIABLE: mark}}
    if source is not None:
        order["input"] = source
    if keeper.stdin is not None:
        with contextlib.suppress(BrokenPipeError), keeper.stdin as stdin:
            stdin.write(json.dumps(order).encode())


def _problem(service: Service, placement: ServiceContext, message: str) -> Problem:
    return Problem(
        file=placement.thresholds_file, line=service.at.line, column=service.at.column, message=message
    )
