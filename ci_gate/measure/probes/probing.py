"""Runs each probe in a thread of its own: whatever becomes of it, the load goes on."""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from ci_gate.addresses import credentials_of
from ci_gate.evidence.probe_kinds import PROBE_KINDS
from ci_gate.evidence.ranges import MAX_NUMBER
from ci_gate.evidence.readings import ProbeReading
from ci_gate.evidence.recording import LineWriter
from ci_gate.measure.probes.secrets import redact
from ci_gate.measure.probes.targets import ProbeTargets
from ci_gate.wording import format_number

INTERVAL_S: Final = 1.0
_MAX_BACK_OFF: Final = 8  # intervals
END_TIMEOUT_S: Final = 3.0


class Probe(Protocol):
    """One server. It connects when it is first read, and again after `disconnect`."""

    def read(self) -> dict[str, float]:
        """The values by name, within seconds. Raises whatever its library does."""

    def disconnect(self) -> None: ...

    def finish(self) -> None:
        """Write what is worth reading once more at the end, and let go of everything."""


@contextlib.contextmanager
def run_probes(targets: ProbeTargets, folder: Path) -> Iterator[None]:
    """Append to probes.jsonl, statements.jsonl and probes.log in ``folder`` until the block is left.

    Raises OSError where they cannot be opened. What a probe cannot read is an error in its reading; nothing
    that a server does or does not do comes out of here, nor delays it for more than three seconds.
    """
    probers: list[Prober] = []
    try:
        # One by one: where a later one cannot be made, those before it must end too.
        for name, probe, secret in make_probes(targets, folder):
            probers.append(_start_prober(name, probe, secret, folder))
        yield
    finally:
        for prober in probers:
            prober.stop()
        deadline = time.monotonic() + END_TIMEOUT_S
        for prober in probers:
            prober.await_end(max(deadline - time.monotonic(), 0))


def make_probes(targets: ProbeTargets, folder: Path) -> Iterator[tuple[str, Probe, str]]:
    """Each with its name and its secret. A client is imported where it is needed: together they take long.

    The module of each kind has ``open_probe(address, folder, note)``, which returns a Probe.
    """
    log = folder / "probes.log"

    def note(line: str) -> None:
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}\n")

    for line in targets.off:
        note(line)
    for kind in PROBE_KINDS:
        if address := targets.addresses.get(kind.name):
            module = importlib.import_module(f"ci_gate.measure.probes.{kind.module}")
            yield kind.name, module.open_probe(address, folder, note), address
    if targets.metrics_url:
        from ci_gate.measure.probes.metrics_page import MetricsPageProbe

        page = MetricsPageProbe(targets.metrics_url, targets.metrics, note, targets.metrics_ca)
        yield "service", page, _secret_of(targets)


def _secret_of(targets: ProbeTargets) -> str:
    """The service's URL is none without credentials, and tells what was asked."""
    return targets.metrics_url if credentials_of(targets.metrics_url) else ""


def _check_range(values: dict[str, float]) -> dict[str, float]:
    """The same. Raises ValueError for one that could not be read back."""
    for name, value in values.items():
        if not abs(value) <= MAX_NUMBER:  # nor is this true of what is no number
            raise ValueError(
                f"{name} is {format_number(value)}, and not from {-MAX_NUMBER:,.0f} to {MAX_NUMBER:,.0f}"
            )
    return values


def _start_prober(name: str, probe: Probe, secret: str, folder: Path) -> Prober:
    try:
        return Prober(name, probe, secret, folder)
    except BaseException:
        probe.finish()  # it may hold a file or a session already
        raise


class Prober:
    """Reads one probe once a second and writes what it says, or why it says nothing."""

    def __init__(self, name: str, probe: Probe, secret: str, folder: Path) -> None:
        self._name: str = name
        self._probe = probe
        self._secret = secret
        self._lines = LineWriter(folder / "probes.jsonl")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"probe {name}", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._lines.close()
            raise

    def stop(self) -> None:
        """Tell it; a reading that goes on is not waited for."""
        self._stopping.set()

    def await_end(self, timeout_s: float) -> None:
        """Wait for it that long at most. One that is late ends by itself, and disturbs nothing."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # The thread closes what it writes to: one that is late at the end writes into no other file.
        with self._lines, contextlib.suppress(OSError):
            self._read_until_stopped()
        with contextlib.suppress(Exception):
            self._probe.finish()

    def _read_until_stopped(self) -> None:
        failures, due_s = 0, time.monotonic()
        while not self._stopping.wait(max(due_s - time.monotonic(), 0)):
            reading = self._read()
            self._lines.write(reading)
            failures = failures + 1 if reading.error else 0
            pause = min(2 ** max(failures - 1, 0), _MAX_BACK_OFF)
            due_s = max(due_s + pause * INTERVAL_S, time.monotonic())  # a missed beat is not caught up

    def _read(self) -> ProbeReading:
        began_s = time.monotonic()
        values: dict[str, float] = {}
        error = ""
        try:
            values = _check_range(self._probe.read())
        except Exception as failure:  # noqa: BLE001 - whatever a server or its library does, the load goes on
            error = redact(f"{failure}" or type(failure).__name__, self._secret)
            with contextlib.suppress(Exception):
                self._probe.disconnect()
        return ProbeReading(
            wall_s=time.time(),
            probe=self._name,
            took_ms=(time.monotonic() - began_s) * 1000,
            values=values,
            error=error,
        )
