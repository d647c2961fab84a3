"""Asks a process of its own what locustfiles say: loading one runs it, and patches the process for gevent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from ci_gate.errors import OutsideError
from ci_gate.evidence.workload import Workload
from ci_gate.measure.locustfile.given import resolve_before_load
from ci_gate.measure.locustfile.order import Order
from ci_gate.thresholds import LocustSettings
from ci_gate.wording import format_exact

_TIMEOUT_S = 120.0
ImportingLocust: TypeAlias = subprocess.Popen[bytes]


@contextlib.contextmanager
def import_locust(environ: Mapping[str, str]) -> Iterator[ImportingLocust]:
    """A process that imports Locust and then waits for `describe_workloads`; leaving the context ends it."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "ci_gate.measure.locustfile"],
        bufsize=0,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what a locustfile has started, too


def describe_workloads(
    settings: Iterable[LocustSettings],
    repository: Path,
    environ: Mapping[str, str],
    meanwhile: Callable[[], object] = lambda: None,
    importing: ImportingLocust | None = None,
) -> dict[LocustSettings, Workload]:
    """A Workload for each, loaded in a process of its own. Raises OutsideError where one hangs.

    One process imports Locust, which takes longer than the rest; the others are its forks, side by side.
    ``importing`` is that process where it was started before, with the same ``environ``; it does this once.
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
        last_words = ""
        if there:
            order = Order(folder=folder, count=len(there), repository=str(repository))
            with contextlib.nullcontext(importing) if importing else import_locust(environ) as process:
                last_words = _describe(process, order, names, meanwhile)
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
    process: ImportingLocust, order: Order, names: list[str], meanwhile: Callable[[], object]
) -> str:
    """Let each leave ``<its index>.out``, ``.err`` and ``.status``; the last line of their common process."""
    assert process.stdin  # noqa: S101 - import_locust makes it
    with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
        process.stdin.write(msgspec.json.encode(order) + b"\n")
    meanwhile()
    try:
        _, errors = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        hung = [name for i, name in enumerate(names) if not Path(order.folder, f"{i}.status").exists()]
        raise OutsideError(f"{', '.join(hung)} did not load within {format_exact(_TIMEOUT_S)} s") from error
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
