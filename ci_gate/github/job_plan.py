"""What one job that measures by itself is to measure head beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci_gate.errors import UsageError
from ci_gate.github.plan_job import explain_missing_dockerfile, find_measured_base
from ci_gate.thresholds import Scenario, Thresholds

NO_BASE: Final = "none"
SAME_RUNNER: Final = "same-runner"
FRESH_RUNNER: Final = "fresh-runner"
_NOT_GIVEN: Final = {
    "image": "no base image was given (the input base-image)",
    "url": "no URL of base was given (the input base)",
}


def check_confirm_on(text: str) -> None:
    """Raises UsageError for what is neither of the two."""
    if text not in {SAME_RUNNER, FRESH_RUNNER}:
        raise UsageError(f"confirm-on is {text!a} (allowed: {SAME_RUNNER}, {FRESH_RUNNER})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The inputs that say what is compared; each is empty where nobody gave it.

    ``base`` is a revision, or the URL of a service that is one; ``none`` compares with nothing.
    """

    base: str = ""
    image: str = ""
    base_image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """``base`` as `ci-gate run` takes it, empty where head is measured alone.

    ``not_compared`` says why it is empty where a base was to be expected.
    """

    base: str = ""
    not_compared: str = ""


def choose_beside(
    asked: Asked, thresholds: Thresholds, scenarios: Sequence[Scenario], reviewed: str, repository: Path
) -> Beside:
    """What head is measured beside. ``reviewed`` is the commit that the event merges into, or empty.

    ``repository`` is the folder of thresholds.yaml. Raises UsageError for a revision that git does not know,
    OutsideError where git fails.
    """
    if asked.base == NO_BASE or not any(scenario.regression for scenario in scenarios):
        return Beside()
    kind = "image" if asked.image else thresholds.service.kind
    given = asked.base_image if kind == "image" else asked.base if "://" in asked.base else ""
    if given or kind in {"image", "url"}:
        why = _NOT_GIVEN[kind] if not given and (asked.base or reviewed) else ""
        return Beside(base=given, not_compared=why)
    commit = find_measured_base(asked.base, reviewed, repository)
    not_compared = ""
    if commit and kind == "dockerfile":
        not_compared = explain_missing_dockerfile(commit, thresholds.service.target, repository)
    return Beside(base="" if not_compared else commit, not_compared=not_compared)
