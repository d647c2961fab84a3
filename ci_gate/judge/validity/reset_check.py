"""Does before_each really reset? Two short trials, each after a reset, must see the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.evidence.sample_table import group_rows
from ci_gate.judge.steady import ClassifiedRecording
from ci_gate.judge.validity.findings import Finding, relax
from ci_gate.thresholds import Scenario
from ci_gate.wording import in_percent

LEFT_OVER: Final = "state-left-over"
_MIN_REPLIES: Final = 3  # requests of an endpoint; one or two may fail by chance


def find_reset_differences(
    scenario: Scenario, first: ClassifiedRecording, second: ClassifiedRecording
) -> tuple[Finding, ...]:
    """A finding per endpoint that always succeeds in one trial and never in the other."""
    before, after = _success_shares(first), _success_shares(second)
    changed = [name for name in before if {before[name], after.get(name)} == {0.0, 1.0}]
    return tuple(_make_findings(scenario, changed, before, after))


def is_reset_proven(first: ClassifiedRecording, second: ClassifiedRecording) -> bool:
    """Whether nothing that is still to come of the second trial could make a difference.

    An endpoint that always succeeded, or never, in the first differs only where the second never sees that.
    """
    shares = {name: share for name, share in _success_shares(first).items() if share in {0.0, 1.0}}
    strings, rows = second.recording.strings, group_rows(second.recording.samples["endpoint"])
    observed = {strings[number]: set(second.success[places].tolist()) for number, places in rows}
    return all(bool(share) in observed.get(name, ()) for name, share in shares.items())


def _make_findings(
    scenario: Scenario, endpoints: list[str], before: dict[str, float], after: dict[str, float]
) -> Iterator[Finding]:
    reason = next((relaxed.reason for relaxed in scenario.relax if relaxed.code == LEFT_OVER), None)
    for endpoint in endpoints:
        first, second = in_percent(before[endpoint]), in_percent(after[endpoint])
        message = f"{first} succeeded after the first reset, {second} after the second"
        finding = Finding(
            code=LEFT_OVER,
            severity="invalid",
            subject=endpoint,
            message=message,
            remedy="let before_each also reset what the first trial left: rows, caches, counters",
        )
        yield relax(finding, reason) if reason else finding


def _success_shares(classified: ClassifiedRecording) -> dict[str, float]:
    """Of every request of a trial, its on_start included: the share of successes by endpoint, if enough."""
    recording, success = classified.recording, classified.success
    return {
        recording.strings[number]: float(success[rows].mean())
        for number, rows in group_rows(recording.samples["endpoint"])
        if len(rows) >= _MIN_REPLIES
    }
