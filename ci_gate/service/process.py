"""A process in a group of its own, guarded from before its start until nothing of it is left."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci_gate.errors import BadInputError, OutsideError, Problem, ServiceError
from ci_gate.process_group import MARK_VARIABLE, ProcessGroup, end_groups, find_members, read_stat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ci_gate.service.environment import Placement
    from ci_gate.service.log import ServiceLog
    from ci_gate.thresholds import Service
    from ci_gate.watchdog import Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedProcess:
    """The leader of the group. It is not reaped before the group has ended, so its number stays its own."""

    popen: subprocess.Popen[bytes]
    group: ProcessGroup

    @property
    def pid(self) -> int:
        return self.popen.pid

    def process_ids(self) -> tuple[int, ...]:
        """The living processes of the service, forked ones included."""
        return find_members(self.group)

    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal, as in subprocess."""
        if self.popen.returncode is not None:
            return self.popen.returncode
        # WNOWAIT leaves it to be reaped later.
        ended = os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def ended(self) -> str | None:
        """How it ended in words, None while it runs."""
        status = self.exit_status()
        return None if status is None else describe_status(status)

    def wait(self, timeout_s: float) -> int | None:
        """The exit status, or None if it still runs after ``timeout_s``."""
        descriptor = os.pidfd_open(self.popen.pid)
        try:
            select.select([descriptor], [], [], timeout_s)
        finally:
            os.close(descriptor)
        return self.exit_status()

    def restarts(self) -> int:
        """Nothing starts a process again."""
        return 0


@contextlib.contextmanager
def start_process(
    words: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: ServiceLog,
    watchdog: Watchdog,
    grace_s: float,
) -> Iterator[GuardedProcess]:
    """Runs ``words`` without a shell, both outputs appended to the log; leaving it ends all that it forked.

    Raises ServiceError if it cannot be started, and OutsideError if something of it cannot be ended.
    """
    mark = uuid.uuid4().hex
    guards = [watchdog.guard_marked(mark)]
    group = ProcessGroup(mark=mark)
    popen: subprocess.Popen[bytes] | None = None
    try:
        popen = _spawn(words, env={**env, MARK_VARIABLE: mark}, cwd=cwd, log=log)
        stat = read_stat(popen.pid)
        group = ProcessGroup(mark=mark, pgid=popen.pid, started=stat.started if stat else None)
        guards.append(watchdog.guard_process_group(popen.pid))
        yield GuardedProcess(popen=popen, group=group)
    finally:
        left = end_groups(group, grace_s=grace_s)
        # A start that was interrupted may still be forking: its guard stays, and the watchdog looks again.
        if popen is not None and not left:
            popen.wait()
            watchdog.release(*guards)
    if left:
        raise OutsideError(f"processes {', '.join(map(str, left))} of `{shlex.join(words)}` survive SIGKILL")


def split_command(text: str, *, service: Service, placement: Placement, key: str) -> tuple[str, ...]:
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


def _spawn(
    words: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, log: ServiceLog
) -> subprocess.Popen[bytes]:
    try:
        with log.path.open("ab") as output:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ServiceError(f"cannot start `{shlex.join(words)}` in {cwd}: {reason}") from error


def _problem(service: Service, placement: Placement, message: str) -> Problem:
    return Problem(
        file=placement.thresholds_file, line=service.at.line, column=service.at.column, message=message
    )
