"""Asks a process of its own what locustfiles say: loading one runs it, and patches the process for gevent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from ci_gate.errors import OutsideError
from ci_gate.evidence.workload import Workload
from ci_gate.wording import format_exact

_TIMEOUT_S = 120.0


def describe_workloads(
    locustfiles: Iterable[str],
    repository: Path,
    environ: Mapping[str, str],
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[str, Workload]:
    """A Workload per locustfile, each loaded in a process of its own. Raises OutsideError where one hangs.

    One process imports Locust, which takes longer than the rest; the others are its forks, side by side.
    ``meanwhile`` is called while they are at it.
    """
    names = tuple(dict.fromkeys(locustfiles))
    there = [name for name in names if (repository / name).is_file()]
    with tempfile.TemporaryDirectory(prefix="ci-gate-") as folder:
        last_words = _describe(there, repository, environ, Path(folder), meanwhile) if there else ""
        return {
            name: _read(name, Path(folder, str(there.index(name))), last_words)
            if name in there
            else Workload(locustfile=name, classes=(), error="there is no such file")
            for name in names
        }


def _describe(
    locustfiles: list[str],
    repository: Path,
    environ: Mapping[str, str],
    folder: Path,
    meanwhile: Callable[[], object],
) -> str:
    """Let each leave ``<its index>.out``, ``.err`` and ``.status``; the last line of their common process."""
    command = [sys.executable, "-P", "-m", "ci_gate.measure.locustfile.describe", str(folder), *locustfiles]
    with subprocess.Popen(
        command,
        cwd=repository,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            meanwhile()
            _, errors = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            hung = [name for i, name in enumerate(locustfiles) if not (folder / f"{i}.status").exists()]
            raise OutsideError(
                f"{', '.join(hung)} did not load within {format_exact(_TIMEOUT_S)} s"
            ) from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what a locustfile has started, too
    return _last_line(errors)


def _read(locustfile: str, results: Path, last_words: str) -> Workload:
    try:
        return msgspec.json.decode(_last_bytes(results.with_suffix(".out")), type=Workload)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError):
        error = last_words
        with contextlib.suppress(OSError):
            status = results.with_suffix(".status").read_text()
            error = _last_line(results.with_suffix(".err").read_bytes()) or f"exit status {status}"
        return Workload(locustfile=locustfile, classes=(), error=error or "it could not be loaded")


def _last_bytes(path: Path) -> bytes:
    return path.read_bytes().rstrip().rpartition(b"\n")[2]


def _last_line(output: bytes) -> str:
    return output.rstrip().rpartition(b"\n")[2].decode(errors="replace")
