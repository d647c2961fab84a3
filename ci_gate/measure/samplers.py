"""Which sampler looks into a service: py-spy into Python, perf into all others."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from ci_gate.errors import OutsideError
from ci_gate.measure.perf_sampling import PerfSampling
from ci_gate.measure.stack_sampling import EXTRA, StackSampling, find_sampler
from ci_gate.service.guard.process_group import read_stat

if TYPE_CHECKING:
    from ci_gate.service.running import RunningService

Sampling = StackSampling | PerfSampling
_PYTHON: Final = re.compile(r"/(lib)?python[\d.]*(\.so[\d.]*)?$", re.MULTILINE)
_NOT_INSTALLED: Final = f"py-spy is not installed: pip install '{EXTRA}'"


def check_samplers() -> None:
    """Raises OutsideError where there is none, so that no load is put on for nothing."""
    if find_sampler() is None and shutil.which("perf") is None:
        raise OutsideError(_NOT_INSTALLED)


def begin_sampling(service: RunningService, folder: Path, temporary: Path, lasts_s: float) -> Sampling:
    """The sampling of a service into the folder of its recording; ``temporary`` is a private folder.

    Raises OutsideError where the service cannot be looked into: it says why.
    """
    first = find_first_process(service)
    pids = find_family(first)
    if not any(map(_is_python, pids)):
        return PerfSampling(service, pids, folder, temporary, lasts_s)
    sampler = find_sampler()
    if sampler is None:
        raise OutsideError(_NOT_INSTALLED)
    return StackSampling(sampler, service, first, folder, temporary, lasts_s)


def find_first_process(service: RunningService) -> int:
    """The process of which all others of the service descend. Raises OutsideError where none is known."""
    pids = service.process_ids()
    stats = {pid: read_stat(pid) for pid in pids}
    first = next((pid for pid, stat in stats.items() if stat and stat.parent not in pids), None)
    if first is None:
        raise OutsideError("the processes of the service are not known")
    return first


def find_family(pid: int) -> tuple[int, ...]:
    """The process and all that descend of it."""
    with contextlib.suppress(psutil.Error):
        return (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True)))
    return (pid,)


def _is_python(pid: int) -> bool:
    """Whether an interpreter is in the process; so, too, where that may not be read: py-spy says why then."""
    try:
        return bool(_PYTHON.search(Path(f"/proc/{pid}/maps").read_text(errors="replace")))
    except PermissionError:
        return True
    except OSError:
        return False
