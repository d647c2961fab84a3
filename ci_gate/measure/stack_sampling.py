"""Samples the stacks of a Python service beside a load: which code is on a CPU, and which waits.

py-spy does it from outside, twice at once: threads on a CPU, and all threads. A coroutine that waits is on no
stack. It reads while the service runs on: one that is stopped for each sample has threads that look busy when
they wake (a third of all samples, of six threads that waited for a socket), and costs it time. It is never
done in a phase that is judged.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci_gate.errors import EvidenceError, OutsideError
from ci_gate.evidence.log_end import read_log_end
from ci_gate.evidence.stacks import MAX_STACKS_BYTES, STACKS_CPU, STACKS_WALL, tidy_stacks
from ci_gate.measure.rights import become_root, enter_processes, why_root

if TYPE_CHECKING:
    from ci_gate.service.running import RunningService

SAMPLING_S: Final = 15.0
CPU_SAMPLES_PER_S: Final = 100
WALL_SAMPLES_PER_S: Final = 50
WRITING_S: Final = 20.0  # until a sampler has read what it needs at its start, and written all at its end
EXTRA: Final = "ci-gate[profile]"
_YAMA: Final = Path("/proc/sys/kernel/yama/ptrace_scope")  # 1 or more: only a parent may look into a process
_NOT_ALLOWED: Final = "py-spy is not allowed to look into the service (it takes root, or CAP_SYS_PTRACE)"
_ERRORS: Final = ("Error:", "Permission")


def find_sampler() -> str | None:
    """The path of py-spy: beside this Python, or where PATH has it; None where it is not installed."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("py-spy", path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))


class StackSampling:
    """The sampling of one service into the folder of its recording.

    Raises OutsideError where the service cannot be looked into: it says why.
    """

    def __init__(
        self,
        sampler: str,
        service: RunningService,
        pid: int,
        folder: Path,
        temporary: Path,
        lasts_s: float,
    ) -> None:
        """``pid`` is its first process, ``temporary`` a private folder for what is not cleaned yet."""
        self._folder, self._temporary = folder, temporary
        self._root = "" if service.is_container else os.path.realpath(service.placement.repository)
        as_root = become_root(why_root(_YAMA, 0, is_container=service.is_container))
        if not as_root:
            _check_allowed(pid)
        enter, number = enter_processes(pid, as_root)
        words = [*enter, sampler, "record", "--pid", str(number)]
        words += ["--subprocesses", "--nonblocking", "--format", "speedscope", "--full-filenames"]
        words += ["--duration", f"{lasts_s:.0f}"]
        self._logs = {name: temporary / f"{name}.log" for name in (STACKS_CPU, STACKS_WALL)}
        rates = {STACKS_CPU: (CPU_SAMPLES_PER_S,), STACKS_WALL: (WALL_SAMPLES_PER_S, "--idle")}
        self._processes = {
            name: self._start([*words, "--output", str(temporary / name), "--rate", *map(str, rates[name])])
            for name in self._logs
        }
        self._deadline_s = time.monotonic() + lasts_s + WRITING_S

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        name = Path(words[words.index("--output") + 1]).name
        with self._logs[name].open("wb") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._temporary
            )

    def is_over(self) -> bool:
        """Whether nothing more is to be had of it."""
        is_late = time.monotonic() > self._deadline_s
        return is_late or all(process.poll() is not None for process in self._processes.values())

    def keep(self) -> None:
        """Write down what was sampled. Raises OutsideError where that is nothing."""
        for name, process in self._processes.items():
            path = self._temporary / name
            if process.poll() != 0 or not path.exists():
                raise OutsideError(_explain(self._logs[name]))
            if path.stat().st_size > MAX_STACKS_BYTES:
                raise OutsideError(f"the sampled stacks are larger than {MAX_STACKS_BYTES} bytes")
            try:
                tidy = tidy_stacks(path.read_bytes(), self._root)
            except EvidenceError as error:
                raise OutsideError(f"py-spy wrote what it should not: {error}") from error
            (self._folder / name).write_bytes(tidy)

    def close(self) -> None:
        """End what still runs; one that runs as root ends by itself, or with the service."""
        for process in self._processes.values():
            with contextlib.suppress(PermissionError):
                process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)


def _check_allowed(pid: int) -> None:
    """Raises OutsideError where the kernel lets this user not look into the process."""
    try:
        Path(f"/proc/{pid}/mem").open("rb").close()
    except PermissionError as error:
        raise OutsideError(_NOT_ALLOWED) from error
    except OSError:
        pass  # it ended, or this is no Linux: py-spy says it


def _explain(log: Path) -> str:
    """Why py-spy has nothing, in one line."""
    lines = [line.strip() for line in read_log_end(log) if line.strip()]
    text = next(
        (line for line in lines if line.startswith(_ERRORS)), lines[-1] if lines else "it wrote nothing"
    )
    lower = text.lower()
    if "permission denied" in lower or "operation not permitted" in lower:
        return _NOT_ALLOWED
    if "no python processes" in lower or "find python version" in lower:
        which = "" if os.geteuid() == 0 else " that it may look into without root"
        return f"py-spy found no Python in the service{which}"
    return f"py-spy did not sample: {text}"
