"""One recording over time: what its charts are drawn from.

A line has at most `MAX_POINTS` points: of a longer recording it keeps the least and the greatest second of
each span, in the order in which they came, so that no peak and no stall is smoothed away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.probe_kinds import PROBE_KINDS
from ci_gate.evidence.ranges import Count, Drawn, Moment, Span, Value
from ci_gate.evidence.readings import ProbeReading, StrictValue
from ci_gate.evidence.recording import Recording
from ci_gate.evidence.sample_table import count_ids
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.summary import name_status
from ci_gate.judge.timeline.seconds import Seconds, decimate, rate_of

MAX_POINTS: Final = 600

_PHASES: Final = {"started": "ramp-up", "spawned": "warm-up", "steady": "steady", "stopping": "drain"}
_MAX_LINES: Final = 8
_MIN_SUCCESSES: Final = 5  # of a second, and half as many as in most

Values = tuple[Drawn | None, ...]
"""One for each point in time; None where nothing is known."""


class PhaseSpan(StrictValue, frozen=True):
    """One phase of a recording, in seconds since its begin."""

    name: str
    begin_s: Value
    end_s: Value


class Timeline(StrictValue, frozen=True):
    """One recording over time; requests count in the second in which they were due.

    ``time_s`` are seconds since ``begin_s``, a Unix time. Each point is one second; where ``span_s`` is above
    1, two points stand for so many seconds. ``series`` are lines by group: ``rate`` (successes, failures per
    second), ``latency`` (p50, p95, p99 of successes in ms), ``failures`` (per second, by status), ``users``,
    ``cpu`` (host: % of all cores; else % of one), ``memory`` (MiB), ``listen`` (connections that the service
    has not accepted yet, where there were any), ``statements`` (of the database for each success), and the
    charts of each probe that was read.
    """

    begin_s: Moment
    span_s: Count
    time_s: tuple[Span, ...]
    phases: tuple[PhaseSpan, ...]
    series: dict[str, dict[str, Values]]


def draw_timeline(classified: ClassifiedRecording) -> Timeline:
    """One recording over time, finished or not."""
    recording = classified.recording
    seconds = Seconds.of(recording)
    span_s = 1 if seconds.count <= MAX_POINTS else -(-2 * seconds.count // MAX_POINTS)
    groups = {
        **_draw_requests(seconds, classified),
        **_draw_machine(seconds, recording),
        **_draw_probes(seconds, recording.probes),
        "statements": _draw_statements(seconds, classified),
    }
    return Timeline(
        begin_s=seconds.begin_s,
        span_s=span_s,
        time_s=_point_times(seconds.count, span_s),
        phases=_find_phases(recording, seconds),
        series={
            group: {name: _to_values(decimate(values, span_s)) for name, values in lines.items()}
            for group, lines in groups.items()
            if lines
        },
    )


_Lines = dict[str, NDArray[np.float64]]
_Readings = Mapping[str, tuple[Sequence[float], Sequence[float | None]]]


def _draw_requests(seconds: Seconds, classified: ClassifiedRecording) -> dict[str, _Lines]:
    samples, success = classified.recording.samples, classified.success
    index = seconds.index(samples["intended_s"])
    percentiles = seconds.quantiles(np.where(success, index, -1), classified.latency_ms, (0.5, 0.95, 0.99))
    failed = samples["status"][~success]
    statuses, counts = count_ids(failed)
    most = statuses[np.argsort(-counts, kind="stable")[:_MAX_LINES]]
    by_status = {name_status(status): seconds.counts(index[~success][failed == status]) for status in most}
    return {
        "rate": {
            "successes": seconds.counts(index[success]),
            "failures": seconds.counts(index[~success]),
        },
        "latency": dict(zip(("p50", "p95", "p99"), percentiles, strict=True)),
        "failures": by_status,
    }


def _draw_machine(seconds: Seconds, recording: Recording) -> dict[str, _Lines]:
    readings, machine = recording.readings, recording.machine
    at, machine_at = [each.wall_s for each in readings], [each.wall_s for each in machine]
    names = sorted({name for each in readings for name in each.users})[:_MAX_LINES]
    busiest = [each.service_busiest_percent for each in machine]
    cpu: _Readings = {
        "service": (machine_at, [each.service_cpu_percent for each in machine]),
        "busiest process of it": (machine_at, busiest),
        "generator": (at, [each.cpu_percent for each in readings]),
        "host": (machine_at, [each.host_cpu_percent for each in machine]),
        "others": (machine_at, [100 * each.foreign.cores if each.foreign else None for each in machine]),
    }
    memory: _Readings = {
        "service": (machine_at, [_to_mib(each.service_memory_bytes) for each in machine]),
        "generator": (at, [_to_mib(each.memory_bytes) for each in readings]),
    }
    queue = [each.service_listen_queue for each in machine]
    users: _Readings = {name: (at, [float(each.users.get(name, 0)) for each in readings]) for name in names}
    return {
        "users": _place_all(seconds, users),
        "cpu": _place_all(seconds, cpu),
        "memory": _place_all(seconds, memory),
        "listen": _place_all(seconds, {"waiting": (machine_at, queue)} if any(queue) else {}),
    }


def _place_all(seconds: Seconds, lines: _Readings) -> _Lines:
    placed = {name: seconds.place(at, values) for name, (at, values) in lines.items()}
    return {name: each for name, each in placed.items() if each is not None}


def _to_mib(size: int | None) -> float | None:
    return None if size is None else size / 1024**2


def _draw_probes(seconds: Seconds, probes: Iterable[ProbeReading]) -> dict[str, _Lines]:
    drawn: dict[str, _Lines] = {}
    for kind in PROBE_KINDS:
        own = [each for each in probes if each.probe == kind.name]
        at = [each.wall_s for each in own]
        for chart in kind.charts:
            for name in (line.value for line in chart.lines):
                values = [each.values.get(name) for each in own]
                placed = seconds.place(at, rate_of(at, values) if name in kind.counters else values)
                if placed is not None:
                    drawn.setdefault(chart.group, {})[name] = placed
    return drawn


def _draw_statements(seconds: Seconds, classified: ClassifiedRecording) -> _Lines:
    """By the service's own count, else by that of the database; unknown in a second of few successes.

    A reading is a moment off its second: there the figure would be of other requests.
    """
    for probe, name in (("service", "statements"), ("postgres", "statement_calls")):
        own = [each for each in classified.recording.probes if each.probe == probe]
        at = [each.wall_s for each in own]
        rate = seconds.place(at, rate_of(at, [each.values.get(name) for each in own]))
        if rate is not None:
            due_s = classified.recording.samples["intended_s"][classified.success]
            successes = seconds.counts(seconds.index(due_s))
            served = successes[successes > 0]
            least = max(_MIN_SUCCESSES, np.median(served) / 2 if served.size else 0)
            return {"per success": np.where(successes >= least, rate / np.maximum(successes, 1), np.nan)}
    return {}


def _find_phases(recording: Recording, seconds: Seconds) -> tuple[PhaseSpan, ...]:
    """The phases that began, each until the next mark, the last one until the end."""
    begun = [(name, mark.wall_s - seconds.begin_s) for name in _PHASES if (mark := recording.mark(name))]
    ended = recording.mark("ended")
    ends = [at for _, at in begun[1:]] + [ended.wall_s - seconds.begin_s if ended else float(seconds.count)]
    return tuple(
        PhaseSpan(name=_PHASES[name], begin_s=round(begin_s, 3), end_s=round(end_s, 3))
        for (name, begin_s), end_s in zip(begun, ends, strict=False)
        if end_s > begin_s
    )


def _point_times(count: int, span_s: int) -> tuple[float, ...]:
    step = 1.0 if span_s == 1 else span_s / 2
    points = count if span_s == 1 else 2 * -(-count // span_s)
    return tuple((np.arange(points) * step).tolist())


def _to_values(values: NDArray[np.float64]) -> Values:
    return tuple(None if value != value else value for value in np.round(values, 3).tolist())  # noqa: PLR0124 - NaN
