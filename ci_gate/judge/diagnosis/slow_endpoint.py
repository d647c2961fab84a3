"""Whether the requests' time is in one endpoint, or in all alike: samples alone know that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD
from ci_gate.evidence.sample_table import group_rows
from ci_gate.evidence.samples import UNSENT
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.quantiles import compute_quantile
from ci_gate.judge.steady import ClassifiedRecording, SteadyPhase
from ci_gate.wording import format_number, in_percent

MIN_SHARE_OF_TIME: Final = 0.5
MIN_TIMES: Final = 2.0  # as long as the others, on average: less may be what it always is
_MAX_ALIKE: Final = 1.5  # between the quartiles of its times
_MIN_REQUESTS: Final = 0.01  # of all: rarer ones are left out of what is said of all
_MAX_NAME: Final = 80
_ALIKE: Final = (
    "trace or profile this endpoint; a time that is equal each time is often a call, a sleep or a time-out"
)
_DIFFERENT: Final = "trace this endpoint, and compare its slow requests with its quick ones"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTime:
    """What one endpoint's requests took from when they were sent, and the rest's."""

    name: str
    times_ms: NDArray[np.float64]
    others_ms: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Of all requests' time."""
        total_ms = float(self.times_ms.sum() + self.others_ms.sum())
        return float(self.times_ms.sum()) / total_ms if total_ms else 0.0

    @property
    def is_slow(self) -> bool:
        if not len(self.others_ms):
            return False
        is_long = float(self.times_ms.mean()) >= MIN_TIMES * float(self.others_ms.mean())
        return is_long and self.share >= MIN_SHARE_OF_TIME

    def describe_share(self) -> str:
        """``85% of the requests' time, 10% of the requests``."""
        requests = len(self.times_ms) / (len(self.times_ms) + len(self.others_ms))
        return f"{in_percent(self.share)} of the requests' time, {in_percent(requests)} of the requests"


def _find_largest(times_ms: Mapping[str, NDArray[np.float64]]) -> EndpointTime | None:
    """The endpoint whose requests took longest altogether; None where there are not two."""
    if len(times_ms) < 2:  # noqa: PLR2004 - one and another
        return None
    name = max(times_ms, key=lambda each: float(times_ms[each].sum()))
    others = np.concatenate([each for other, each in times_ms.items() if other != name])
    return EndpointTime(name=name, times_ms=times_ms[name], others_ms=others)


def make_slow_endpoint(
    recordings: Mapping[str, ClassifiedRecording], head: ClassifiedRecording
) -> Iterator[Cause]:
    """The cause, where one endpoint has at least half of the time and takes twice as long as the others."""
    largest = _find_largest(_group_times(head.steady))
    if largest is None or not largest.is_slow:
        return
    low, median, high = (_quantile(largest.times_ms, each) for each in (0.25, 0.5, 0.75))
    is_alike = high <= _MAX_ALIKE * low
    others = format_number(_quantile(largest.others_ms, 0.5))
    spread = f"half of its requests took {format_number(low)} to {format_number(high)} ms"
    p95 = format_number(_quantile(largest.times_ms, 0.95))
    yield Cause(
        code="slow-endpoint",
        title=f"one endpoint, and not the others: {shorten_name(largest.name)}",
        numbers=(
            largest.describe_share(),
            f"{spread}: {'each takes about as long' if is_alike else 'they differ much'}; p95 {p95} ms",
            f"its p50 is {format_number(median)} ms, that of all others together {others} ms",
            *_describe_base(recordings, largest.name),
        ),
        next_step=_ALIKE if is_alike else _DIFFERENT,
        share=largest.share,
    )


def describe_endpoints(steady: SteadyPhase) -> Iterator[str]:
    """In which endpoint the time is, or that it is in all alike; nothing where there is one endpoint."""
    times_ms = _group_times(steady)
    largest = _find_largest(times_ms)
    if largest is None:
        return
    name = shorten_name(largest.name)
    least = _MIN_REQUESTS * sum(map(len, times_ms.values()))
    means_ms = [float(each.mean()) for each in times_ms.values() if len(each) >= least]
    if largest.is_slow:
        yield f"{name}: {largest.describe_share()}"
    elif means_ms and max(means_ms) <= MIN_TIMES * min(means_ms):
        low, high = (format_number(each(means_ms)) for each in (min, max))
        yield f"all endpoints are alike: their requests took {low} to {high} ms on average"
    else:
        yield f"in no single endpoint; most in {name}: {largest.describe_share()}"


def shorten_name(name: str) -> str:
    """An endpoint's name, as long as a sentence bears."""
    return name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"


def _describe_base(recordings: Mapping[str, ClassifiedRecording], name: str) -> Iterator[str]:
    """Its median beside base's, where both sides were loaded at the same time."""
    sides = [recordings.get(side) for side in (DUET_HEAD, DUET_BASE)]
    times = [_group_times(side.steady).get(name) if side else None for side in sides]
    head, base = (None if each is None else _quantile(each, 0.5) for each in times)
    if head is not None and base is not None:
        yield f"beside base its p50 is {format_number(head)} ms, base's {format_number(base)} ms"


def _quantile(times_ms: NDArray[np.float64], level: float) -> float:
    return compute_quantile(np.sort(times_ms), level) or 0.0


def _group_times(steady: SteadyPhase) -> dict[str, NDArray[np.float64]]:
    """The times of each endpoint's requests of the steady phase, without arrivals that brought none."""
    parts: dict[str, list[NDArray[np.float64]]] = {}
    for number, rows in group_rows(steady.samples["endpoint"]):
        if steady.strings[number] != UNSENT:
            parts.setdefault(steady.strings[number], []).append(steady.samples["response_ms"][rows])
    return {name: np.concatenate(each) for name, each in parts.items()}
