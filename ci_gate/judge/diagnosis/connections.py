"""Whether the database had a connection left for the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.wording import count

_MIN_FULL: Final = 0.1  # of the readings: a moment without one is no cause
_REFUSALS: Final = ("too many clients", "too many connections", "remaining connection slots are reserved")


def find_full_connections(usage: ResourceUsage) -> Iterator[Cause]:
    """All connections of the database server were in use, or its probe was refused for want of one."""
    wanted = {"connections_total", "max_connections"}
    readings = [each.values for each in usage.postgres.readings if wanted <= each.values.keys()]
    full = [values for values in readings if _used(values) >= values["max_connections"]]
    refusals = [error for error in usage.postgres.errors if any(text in error for text in _REFUSALS)]
    if len(full) + len(refusals) < max(_MIN_FULL * (len(readings) + len(refusals)), 1):
        return
    numbers = []
    if readings:
        most = max(readings, key=_used)
        of = f"{most['connections_total'] + 1:.0f} of the server's {most['max_connections']:.0f} connections"
        kept = most.get("reserved_connections", 0.0)
        reserved = f", and {kept:.0f} more are reserved for administrators" if kept else ""
        numbers.append(f"{of} were in use at most, the probe's among them{reserved}")
        numbers.append(f"none was left in {len(full)} of {count(len(readings), 'reading')}")
    if refusals:
        numbers.append(f"the probe was refused {len(refusals)} x: {refusals[-1]}")
    yield Cause(
        code="database-connections",
        title="the database server had no connection left",
        numbers=tuple(numbers),
        next_step="let each process of the service open fewer connections, or put a pooler before the "
        "database; then raise max_connections",
        share=None,
    )


def _used(values: dict[str, float]) -> float:
    """With the probe's own connection, which the counts leave out, and those that the service may not use."""
    return values["connections_total"] + 1 + values.get("reserved_connections", 0.0)
