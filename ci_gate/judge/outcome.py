"""What a limit, change, comparison, load step, scenario or run came to: the words, their order, one rule."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """From best to worst: a proven regression says more than what could not be judged, that more than doubt.

    INCONCLUSIVE: more load could still decide it, and a gate may let it through. INVALID: it could not be
    judged, and blocks. So a limit with too few samples is INVALID: no gate lets through what it was asked to
    prove. A load step of a capacity measurement with too few is INCONCLUSIVE: a longer step decides it.
    """

    PASS = "PASS"  # noqa: S105
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    FAIL = "FAIL"

    @property
    def blocks(self) -> bool:
        """Whether it blocks whatever thresholds.yaml says."""
        return self in {Outcome.INVALID, Outcome.FAIL}


WORST_FIRST: Final = tuple(reversed(Outcome))
"""The one order of severity: for choosing, and for telling."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of at least one."""
    return min(outcomes, key=WORST_FIRST.index)


def decide(
    parts: Iterable[Outcome],
    *,
    is_trusted: bool = True,
    is_shown: bool = True,
    doubt: Outcome = Outcome.INVALID,
) -> Outcome:
    """The outcome of what has these parts.

    ``doubt`` where the measurement cannot be trusted, whatever the parts show. Where something was not shown,
    or there is no part at all, ``doubt`` unless a part is worse. Else the worst part.
    """
    if not is_trusted:
        return doubt
    outcomes = tuple(parts)
    return worst([*outcomes, Outcome.PASS if outcomes and is_shown else doubt])
