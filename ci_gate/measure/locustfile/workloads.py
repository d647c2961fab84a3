"""Asks a process of its own what locustfiles say: loading one runs it, and patches the process for gevent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from ci_gate.errors import OutsideError
from ci_gate.evidence.workload import Workload
from ci_gate.wording import format_exact

_TIMEOUT_S = 120.0


def describe_workloads(
    locustfiles: Iterable[str], repository: Path, environ: Mapping[str, str]
) -> dict[str, Workload]:
    """A Workload per locustfile, each loaded in a process of its own. Raises OutsideError where one hangs."""
    return {name: _describe(name, repository, environ) for name in dict.fromkeys(locustfiles)}


def _describe(locustfile: str, repository: Path, environ: Mapping[str, str]) -> Workload:
    if not (repository / locustfile).is_file():
        return Workload(locustfile=locustfile, classes=(), error="there is no such file")
    command = [sys.executable, "-P", "-m", "ci_gate.measure.locustfile.describe", locustfile]
    try:
        process = subprocess.run(
            command,
            cwd=repository,
            env=dict(environ),
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"{locustfile} did not load within {format_exact(_TIMEOUT_S)} s") from error
    try:
        return msgspec.json.decode(process.stdout.rstrip().rpartition(b"\n")[2], type=Workload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        last = process.stderr.rstrip().rpartition(b"\n")[2].decode(errors="replace")
        return Workload(locustfile=locustfile, classes=(), error=last or f"exit status {process.returncode}")
