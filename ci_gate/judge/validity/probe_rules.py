"""Validity rule about the probes: could what the diagnosis rests on be read at all?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import count

_MIN_SHARE_READ: Final = 0.5


def _find_failed_probes(rule_input: RuleInput) -> Iterator[Violation]:
    """A probe leaves a reading at its first beat, so that none that was to run is missing here.

    What counts are the seconds that were read: one that fails is asked less often.
    """
    duration_s = rule_input.steady.duration_s
    end_s = rule_input.steady.end_s
    for name in dict.fromkeys(reading.probe for reading in rule_input.recording.probes):
        steady = [
            reading
            for reading in rule_input.recording.probes
            if reading.probe == name and rule_input.steady.begin_s < reading.wall_s < end_s
        ]
        read = sum(not reading.error for reading in steady)
        if duration_s and read < _MIN_SHARE_READ * duration_s:
            errors = [reading.error for reading in rule_input.recording.probes if reading.probe == name]
            last = next(filter(None, reversed(errors)), "")
            why = f"the last error: {last}" if last else "replies took too long"
            yield (
                f"probe {name}",
                f"read {count(read, 'time')} in the {duration_s:.0f} s of the steady phase; {why}",
            )


PROBE_RULES: Final = (
    Rule(
        code="probe-failed",
        severity="info",
        stage=Stage.PHASE,
        find=_find_failed_probes,
        meaning="a server that thresholds.yaml asks to probe could not be read: the diagnosis lacks it",
        threshold_text=f"read in fewer than {_MIN_SHARE_READ:.0%} of the seconds of the steady phase",
        remedy="try its address under probes in thresholds.yaml from where ci-gate runs; see probes.log",
    ),
)
