"""What each design of `benchmarks.designs` read of a pair, from the recordings of its Locusts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.designs_plan import BOTH, DUET, GATE, LOCUSTS, Cell, Span
from benchmarks.pairs import SIDES
from benchmarks.power import judge_piece, with_tolerances
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import Recording, read_recording
from ci_gate.judge.compare.windows import Phase, SideSamples, measure_percentile
from ci_gate.judge.steady import SteadyPhase, classify
from ci_gate.thresholds import Scenario, Thresholds

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
DUET_PIECES = 4


class Reading(StrictValue, frozen=True):
    """What one design read in one turn, or the gate in one duet: a line of the raw file.

    ``changes`` maps metrics to head / base - 1 of the plain percentiles; ``paired`` to the gate's estimate
    from paired windows, where both sides ran at once. ``outcome`` is the gate's, after ``seconds`` of load.
    """

    cell: str
    noise: bool
    pair: int
    effect: float
    design: str
    turn: int
    seconds: float
    samples: tuple[int, int]
    base_ms: dict[str, float]
    changes: dict[str, float]
    paired: dict[str, float]
    outcome: str = ""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What the Locusts of one pair recorded, by their names."""

    cell: Cell
    noisy: bool
    pair: int
    recordings: dict[str, Recording]
    phases: dict[str, SteadyPhase]


def read_pair(folder: Path, scenario: Scenario, cell: Cell, *, pair: int, noisy: bool) -> Recorded:
    """All recordings of a pair."""
    folders = {name: folder / name[:4] / name for name in LOCUSTS}
    recordings = {name: read_recording(place) for name, place in folders.items() if place.exists()}
    phases = {name: classify(one, scenario.accept).steady for name, one in recordings.items()}
    return Recorded(cell=cell, noisy=noisy, pair=pair, recordings=recordings, phases=phases)


def read_designs(
    thresholds: Thresholds, scenario: Scenario, recorded: Recorded, spans: Sequence[Span]
) -> Iterator[Reading]:
    """A reading for each design and turn, and what the gate decides on the duet."""
    for design, turn in dict.fromkeys((span.slot.design, span.slot.turn) for span in spans):
        chosen = [span for span in spans if (span.slot.design, span.slot.turn) == (design, turn)]
        if design != DUET:
            yield read_turn(recorded, chosen, design, turn)
            continue
        (whole,) = chosen
        for piece, span in enumerate(quarter(whole)):
            yield read_turn(recorded, [span], DUET, piece)
        yield decide(thresholds, scenario, recorded, whole)


def quarter(duet: Span) -> Iterator[Span]:
    """The four quarters of a duet: each as long as base-then-head lasts in all."""
    quarter_s = (duet.end_s - duet.start_s) / DUET_PIECES
    for piece in range(DUET_PIECES):
        start_s = duet.start_s + piece * quarter_s
        yield Span(slot=duet.slot, start_s=start_s, end_s=start_s + quarter_s)


def read_turn(recorded: Recorded, spans: Sequence[Span], design: str, turn: int) -> Reading:
    """One reading."""
    cell = recorded.cell
    base, head = (pick(recorded.phases, cell.endpoint, spans, side) for side in SIDES)
    wanted = list(QUANTILES.values())
    of_base, of_head = (np.quantile(side.latency_ms, wanted) for side in (base, head))
    return Reading(
        cell=cell.name,
        noise=recorded.noisy,
        pair=recorded.pair,
        effect=cell.pairs[recorded.pair][0],
        design=design,
        turn=turn,
        seconds=sum(span.end_s - span.start_s for span in spans),
        samples=(base.success.size, head.success.size),
        base_ms=dict(zip(QUANTILES, of_base.tolist(), strict=True)),
        changes=dict(zip(QUANTILES, (of_head / of_base - 1).tolist(), strict=True)),
        paired=read_paired(base, head, spans[0]) if design == DUET else {},
    )


def decide(thresholds: Thresholds, scenario: Scenario, recorded: Recorded, duet: Span) -> Reading:
    """The gate's own decision on a duet, with half of the effect as tolerance (of equal versions, 5 %)."""
    seen = read_turn(recorded, [duet], GATE, 0)
    half = f"{(seen.effect or 0.1) * 50:g}%"
    judged = with_tolerances(scenario, f"p50={half},p95={half},rate=5%")
    base, head = (recorded.recordings[name] for name in BOTH)
    verdict = judge_piece(thresholds, judged, (base, head), duet.start_s)
    asked = recorded.cell.endpoint
    changes = {change.metric: change.change for change in verdict.changes if change.endpoint == asked}
    return msgspec.structs.replace(seen, seconds=verdict.duration_s, paired=changes, outcome=verdict.outcome)


def pick(phases: dict[str, SteadyPhase], endpoint: str, spans: Sequence[Span], side: str) -> SideSamples:
    """Successes of one side that began and ended within the spans, of the Locusts that ran in them."""
    starts, times = [], []
    for span, name in ((each, name) for each in spans for name in each.slot.on):
        if not name.startswith(side):
            continue
        phase = phases[name]
        start = phase.samples["start_s"]
        end = start + phase.samples["response_ms"] / 1000
        rows = (start >= span.start_s) & (end < span.end_s) & phase.success & phase.rows_of(endpoint)
        starts.append(start[rows])
        times.append(phase.latency_ms[rows])
    start_s = np.concatenate(starts)
    return SideSamples(
        endpoint=np.zeros(start_s.size, dtype=np.intp),
        intended_s=start_s,
        latency_ms=np.concatenate(times),
        success=np.ones(start_s.size, dtype=np.bool_),
    )


def read_paired(base: SideSamples, head: SideSamples, span: Span) -> dict[str, float]:
    """The gate's estimates, of one span in which both sides ran."""
    phase = Phase(begin_s=span.start_s, end_s=span.end_s)
    effects = {metric: measure_percentile(base, head, q, phase) for metric, q in QUANTILES.items()}
    return {metric: float(np.expm1(effect.estimate)) for metric, effect in effects.items() if effect}
