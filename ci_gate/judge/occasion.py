"""For what a workflow measured: what its verdict may be taken for later."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ci_gate.evidence.readings import StrictValue

_Number = Annotated[int, msgspec.Meta(ge=0, lt=10**18)]
_Name = Annotated[str, msgspec.Meta(max_length=1000)]


class Occasion(StrictValue, frozen=True):
    """What GitHub says of the run whose jobs measured. Texts are empty and numbers 0 where it says nothing.

    ``head_sha`` is the pull request's own commit, not its test merge; ``base_sha`` is the commit that head's
    thresholds are compared with. ``run_id`` and ``run_attempt`` are of the run that measured, also where
    another one publishes its verdict again.
    """

    event: _Name
    pull_number: _Number
    head_sha: _Name
    base_ref: _Name
    base_sha: _Name
    run_id: _Number
    run_attempt: _Number


def find_attempt(occasion: Occasion | None) -> tuple[int, int] | None:
    """The run and its attempt; None outside of a workflow. Artifacts of an earlier attempt stay in a run."""
    return None if occasion is None else (occasion.run_id, occasion.run_attempt)
