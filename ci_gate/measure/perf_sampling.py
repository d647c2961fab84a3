"""Samples the stacks of a service that is no Python: perf sees what its threads do on a CPU, and no waiting.

It counts time on a CPU by a timer of the kernel (cpu-clock): machines that are rented by the minute have no
hardware counters.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ci_gate.errors import OutsideError
from ci_gate.evidence.stacks import MAX_STACKS_BYTES, STACKS_CPU, tidy_stacks
from ci_gate.measure.rights import become_root, why_root

if TYPE_CHECKING:
    from ci_gate.service.running import RunningService

PER_S: Final = 99  # not in step with what the service does ten or a hundred times a second
_READING_S: Final = 60.0  # to read what was recorded
_TIMED_OUT: Final = (124, 128 + signal.SIGKILL, -signal.SIGKILL)  # of `timeout`: ended, or killed after that
_MAX_SCRIPT_BYTES: Final = 256 * 1024**2
_PARANOID: Final = Path("/proc/sys/kernel/perf_event_paranoid")
_MAX_PARANOID: Final = 2  # up to which a user may sample what is his own, without the kernel
_HEAD: Final = re.compile(r"\s*\d+/(\d+)\s+[\d.]+:\s*$")
_FRAME: Final = re.compile(r"\s+[0-9a-f]+ (.+) \((.*)\)$")
_JAVASCRIPT: Final = re.compile(r"(?:JS|LazyCompile|Function|Script|Eval):[*~^+]?(.*) (\S+?):(\d+)(?::\d+)?$")


class PerfSampling:
    """The sampling of these processes of a service into the folder of its recording.

    Raises OutsideError where perf may not do it: it says why.
    """

    def __init__(
        self, service: RunningService, pids: tuple[int, ...], folder: Path, temporary: Path, lasts_s: float
    ) -> None:
        """``temporary`` is a private folder for what is not cleaned yet."""
        perf = shutil.which("perf")
        if perf is None:
            raise OutsideError("the service is no Python, and perf, which samples others, is not installed")
        self._perf, self._folder, self._temporary = perf, folder, temporary
        self._root = "" if service.is_container else os.path.realpath(service.placement.repository)
        self._as_root = become_root(why_root(_PARANOID, _MAX_PARANOID, is_container=service.is_container))
        event = "cpu-clock" if self._as_root or os.geteuid() == 0 else "cpu-clock:u"
        words = [*self._as_root, perf, "record", "--quiet", "-e", event, "-F", str(PER_S), "-g", "-N"]
        words += ["-p", ",".join(map(str, pids)), "-o", "perf.data", "--", "sleep", f"{lasts_s:.0f}"]
        with (temporary / "perf.log").open("wb") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=temporary
            )
        self._deadline_s = time.monotonic() + lasts_s + _READING_S

    def is_over(self) -> bool:
        """Whether nothing more is to be had of it."""
        return time.monotonic() > self._deadline_s or self._process.poll() is not None

    def keep(self) -> None:
        """Write down what was sampled, while the service still runs. Raises OutsideError for nothing."""
        if self._process.poll() != 0:
            raise OutsideError(self._explain())
        document = convert_script(self._read_script().decode(errors="replace"))
        if not document["profiles"]:
            raise OutsideError("perf saw no process of the service on a CPU")
        tidy = tidy_stacks(msgspec.json.encode(document), self._root)
        if len(tidy) > MAX_STACKS_BYTES:
            raise OutsideError(f"the sampled stacks are larger than {MAX_STACKS_BYTES} bytes")
        (self._folder / STACKS_CPU).write_bytes(tidy)

    def _read_script(self) -> bytes:
        """What ``perf script`` prints. Raises OutsideError where it takes too long, or prints too much.

        We may not end what runs as root: `timeout` does, as root, and a pipe that nobody reads any more.
        """
        words = [*self._as_root, "timeout", "-k", "5", f"{_READING_S:.0f}", self._perf, "script"]
        words += ["-i", "perf.data", "--no-inline", "-F", "pid,tid,time,ip,sym,dso"]
        with subprocess.Popen(
            words,
            cwd=self._temporary,
            env={**os.environ, "DEBUGINFOD_URLS": ""},  # symbols are those that are here
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            text = process.stdout.read(_MAX_SCRIPT_BYTES + 1)
        if len(text) > _MAX_SCRIPT_BYTES:
            raise OutsideError(f"perf wrote more than {_MAX_SCRIPT_BYTES} bytes of stacks")
        if process.returncode in _TIMED_OUT:
            raise OutsideError(f"perf took more than {_READING_S:.0f} s to read its samples")
        return text

    def _explain(self) -> str:
        lines = (self._temporary / "perf.log").read_text(errors="replace").split("\n")
        said = next((line.strip() for line in lines if line.strip()), "it wrote nothing")
        return f"perf did not sample: {said}"

    def close(self) -> None:
        """End what still runs; one that runs as root ends by itself, or with the service."""
        with contextlib.suppress(PermissionError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)


def convert_script(text: str) -> dict[str, Any]:
    """What ``perf script`` prints of pid, tid, time, ip, sym and dso, as py-spy writes what it sampled."""
    places: dict[tuple[str, str, int], int] = {}
    threads: dict[str, list[list[int]]] = {}
    stack: list[int] = []
    for line in text.replace(" (deleted))\n", ")\n").split("\n"):
        if head := _HEAD.match(line):
            stack = []
            threads.setdefault(head[1], []).append(stack)
        elif (frame := _FRAME.match(line)) and (place := _read_place(frame[1], frame[2])):
            stack.insert(0, places.setdefault(place, len(places)))
    frames = [{"name": name, "file": file, "line": line or None} for name, file, line in places]
    profiles = [{"samples": samples, "weights": [1 / PER_S] * len(samples)} for samples in threads.values()]
    return {"profiles": profiles, "shared": {"frames": frames}}


def _read_place(symbol: str, binary: str) -> tuple[str, str, int] | None:
    """Name, file and line of a frame; None where its function is not known."""
    if symbol == "[unknown]":
        return None
    if script := _JAVASCRIPT.match(symbol):
        return script[1] or "(anonymous)", script[2].removeprefix("file://"), int(script[3])
    return symbol, binary or "[unknown]", 0
