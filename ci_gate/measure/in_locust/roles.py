"""Whether this process is the only one, conducts others, or is one of those. Runs inside Locust."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ci_gate.evidence.recording import RecordingPlan
    from ci_gate.measure.in_locust.crew import Pacer
    from ci_gate.measure.in_locust.several import Conducting, Samples
    from ci_gate.measure.target import Target


def take_role(
    plan: RecordingPlan,
    folder: Path,
    target: Target,
    samples: Samples,
    arrivals: Pacer | None,
    conductor: Conducting,
) -> list[str]:
    """Take the role that plan and target give this process; returns the options that Locust needs for it."""
    if target.crew or target.membership:
        from ci_gate.measure.in_locust.remote import conduct, take_part

        if target.membership:
            return take_part(plan, folder, target.membership, arrivals, conductor)
        return conduct(plan, folder, target, conductor)
    if plan.processes == 1:
        return []
    from ci_gate.measure.in_locust.several import distribute

    return distribute(plan, folder, samples, arrivals, conductor)
