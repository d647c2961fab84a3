"""delivery.json of a worker on another machine: what it says, at the end, that it has recorded.

It is the last file that a worker sends. Its own folder has it too: one that is copied by hand is as whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci_gate.evidence.ranges import Count
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.strict_json import read_json

if TYPE_CHECKING:
    from pathlib import Path

DELIVERY_FILE: Final = "delivery.json"


class Delivery(StrictValue, frozen=True):
    """The worker's count of its requests, on which machine it was, and how often it sent a block again."""

    machine: str
    rows: Count
    sent_again: Count = 0


def read_delivery(folder: Path) -> Delivery | None:
    """Of the worker with this folder; None where it has not come."""
    path = folder / DELIVERY_FILE
    return read_json(path, Delivery) if path.exists() else None
