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
from ci_gate.measure.locustfile.given import resolve_before_load
from ci_gate.thresholds import LocustSettings
from ci_gate.wording import format_exact

_TIMEOUT_S = 120.0


def describe_workloads(
    settings: Iterable[LocustSettings],
    repository: Path,
    environ: Mapping[str, str],
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[LocustSettings, Workload]:
    """A Workload for each, loaded in a process of its own. Raises OutsideError where one hangs.

    One process imports Locust, which takes longer than the rest; the others are its forks, side by side.
    ``meanwhile`` is called while they are at it.
    """
    every = tuple(dict.fromkeys(settings))
    missing = {each: _find_missing(each, repository) for each in every}
    there = [each for each in every if not missing[each]]
    with tempfile.TemporaryDirectory(prefix="ci-gate-") as folder:
        for index, each in enumerate(there):
            given = msgspec.json.encode(resolve_before_load(each, environ))  # with its secrets
            Path(folder, f"{index}.given").write_bytes(given)
        names = [each.name for each in there]
        last_words = _describe(names, repository, environ, Path(folder), meanwhile) if there else ""
        return {
            each: Workload(locustfile=each.name, classes=(), error=missing[each])
            if missing[each]
            else _read(each.name, Path(folder, str(there.index(each))), last_words)
            for each in every
        }


def _find_missing(settings: LocustSettings, repository: Path) -> str:
    """Which of the files and folders is not there, or no folder; empty if all are."""
    for path in settings.locustfiles:
        if not (repository / path).is_file() and not (path.endswith("/") and (repository / path).is_dir()):
            what = "folder" if path.endswith("/") else "file"
            return "there is no such file" if path == settings.name else f"there is no {what} {path}"
    if settings.directory and not (repository / settings.directory).is_dir():
        return f"directory: there is no folder {settings.directory}"
    return ""


def _describe(
    names: list[str],
    repository: Path,
    environ: Mapping[str, str],
    folder: Path,
    meanwhile: Callable[[], object],
) -> str:
    """Let each leave ``<its index>.out``, ``.err`` and ``.status``; the last line of their common process."""
    module = "ci_gate.measure.locustfile.describe"
    command = [sys.executable, "-P", "-m", module, str(folder), str(len(names))]
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
            hung = [name for i, name in enumerate(names) if not (folder / f"{i}.status").exists()]
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
