"""history.json: of each commit of a branch, in a few figures, what its verdict measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from ci_gate.evidence.environment import Environment
from ci_gate.evidence.ranges import Count, Quantity, Value, Version
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.strict_json import decode_document
from ci_gate.judge.limits import read_figure
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.summary import EndpointSummary
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.thresholds import ALL_ENDPOINTS, FAILURES, RATE, metric_of

HISTORY_SCHEMA: Final = 1
MAX_HISTORY_BYTES: Final = 16 * 1024**2
MAX_RUNS: Final = 200
"""The newest; older ones are forgotten."""
MAX_SCENARIOS: Final = 256
"""Of one run: as many as a matrix has jobs."""

METRICS: Final = ("p50", "p95", "p99", RATE.name, FAILURES.name)
"""Of all requests of a scenario together: what is drawn and judged, in this order."""

_MAX_NAME: Final = 200
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_Commit = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{40}([0-9a-f]{24})?)?\Z")]
_Name = Annotated[str, msgspec.Meta(max_length=_MAX_NAME)]


class ScenarioRecord(StrictValue, frozen=True):
    """One scenario of one run. Both maps are by metric: p50, p95, p99 (ms), rate (per s), failures (a share).

    ``changes`` are head / base - 1 of the comparison with base, for failures head - base.
    """

    name: _Name
    users: Count
    environment: Environment | None  # None: not known
    figures: dict[str, Quantity]
    changes: dict[str, Value]

    def __post_init__(self) -> None:
        if not {*self.figures, *self.changes} <= {*METRICS}:
            raise ValueError(f"a metric is none of {', '.join(METRICS)}")


class RunRecord(StrictValue, frozen=True):
    """One run. ``position`` counts the commits of the branch up to this one; 0: not known."""

    commit: _Commit
    base: _Commit  # what ``changes`` are against; empty: nothing
    position: Count
    started_at: _Name
    profile: _Name
    ci_gate_version: _Name
    scenarios: Annotated[tuple[ScenarioRecord, ...], msgspec.Meta(max_length=MAX_SCENARIOS)]


class History(StrictValue, frozen=True):
    """Runs of one branch, the oldest first; of one commit only the last."""

    schema: Version
    runs: Annotated[tuple[RunRecord, ...], msgspec.Meta(max_length=MAX_RUNS)]

    @property
    def last_environments(self) -> dict[str, Environment]:
        """The machines of the last run, by scenario; of those that are known."""
        last = self.runs[-1].scenarios if self.runs else ()
        return {scenario.name: scenario.environment for scenario in last if scenario.environment}


def record_run(verdict: Verdict) -> RunRecord | None:
    """What a history keeps of a verdict; None where it does not name its commit."""
    occasion = verdict.occasion
    commit = _read_commit(verdict.git.get("head", ""))
    if not commit:
        return None
    base = _read_commit(verdict.git.get("base", "")) or _read_commit(occasion.base_sha if occasion else "")
    return RunRecord(
        commit=commit,
        base=base,
        position=0,
        started_at=verdict.started_at[:_MAX_NAME],
        profile=verdict.profile[:_MAX_NAME],
        ci_gate_version=verdict.ci_gate_version[:_MAX_NAME],
        scenarios=tuple(map(_record_scenario, verdict.scenarios[:MAX_SCENARIOS])),
    )


def _record_scenario(scenario: ScenarioVerdict) -> ScenarioRecord:
    """A measurement that could not be judged leaves no figure."""
    is_measured = scenario.outcome != Outcome.INVALID and scenario.endpoints
    duet = scenario.comparison
    is_compared = duet is not None and duet.outcome != Outcome.INVALID
    return ScenarioRecord(
        name=scenario.name[:_MAX_NAME],
        users=scenario.users,
        environment=scenario.environment,
        figures=_read_figures(scenario.endpoints[0]) if is_measured else {},
        changes={
            each.metric: each.change
            for each in (duet.changes if duet and is_compared else ())
            if each.endpoint == ALL_ENDPOINTS and each.metric in METRICS
        },
    )


def _read_figures(total: EndpointSummary) -> dict[str, float]:
    found = {name: read_figure(metric_of(name), total) for name in METRICS}
    return {
        name: float(figure.measured)
        for name, figure in found.items()
        if figure is not None and figure.measured is not None
    }


def _read_commit(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""


def join_runs(runs: Iterable[RunRecord], positions: Mapping[str, int] | None = None) -> History:
    """A history of ``runs`` in any order: of one commit the newest of each scenario, of all the newest runs.

    ``positions`` are those of the branch's commits, as git counts them; then what is of no commit of the
    branch is left out. Without them runs keep theirs. Runs of which one has none stand in the order of their
    time.
    """
    by_commit: dict[str, RunRecord] = {}
    for run in sorted(runs, key=lambda run: run.started_at):
        by_commit[run.commit] = _take_over(by_commit.get(run.commit), run)
    kept = list(by_commit.values())
    if positions is not None:
        kept = [
            msgspec.structs.replace(run, position=positions[run.commit])
            for run in kept
            if run.commit in positions
        ]
    is_counted = all(run.position for run in kept)
    kept.sort(key=lambda run: (run.position if is_counted else 0, run.started_at))
    return History(schema=HISTORY_SCHEMA, runs=tuple(kept[-MAX_RUNS:]))


def _take_over(older: RunRecord | None, run: RunRecord) -> RunRecord:
    """The run, with the scenarios of an older one of the same commit and profile that it has not."""
    if older is None or older.profile != run.profile:
        return run
    scenarios = {each.name: each for each in (*older.scenarios, *run.scenarios)}
    return msgspec.structs.replace(run, scenarios=tuple(scenarios.values())[:MAX_SCENARIOS])


def encode_history(history: History) -> bytes:
    """history.json, on one line, without the oldest runs where all would be more than is read back."""
    text = msgspec.json.encode(history) + b"\n"
    while len(text) > MAX_HISTORY_BYTES:
        history = msgspec.structs.replace(history, runs=history.runs[len(history.runs) // 4 or 1 :])
        text = msgspec.json.encode(history) + b"\n"
    return text


def decode_history(text: bytes) -> History:
    """The reverse, for text that may be hostile. Raises EvidenceError for anything but a history we wrote."""
    return decode_document(text, History, name="history", schema=HISTORY_SCHEMA, max_bytes=MAX_HISTORY_BYTES)
