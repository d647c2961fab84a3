"""Who agreed to what is loosened: a label that is bound to exactly these settings and values."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ci_gate.judge.changes.threshold_changes import ThresholdChange, digest_rows

_DIGEST_BYTES: Final = 16  # nobody can construct two sets with one digest: that would take 2^64 tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Whether the loosened settings of a change are agreed to.

    ``label`` is the one that approves exactly these; ``others`` are those of the pull request that look like
    an approval, and approve something else.
    """

    label: str
    loosened: int
    is_given: bool
    others: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        return self.loosened > 0 and not self.is_given


def judge_approval(changes: Iterable[ThresholdChange], prefix: str, labels: Iterable[str]) -> Approval:
    """``prefix`` is base's ``loosening_label``, ``labels`` are the pull request's; case does not count.

    The same set of loosened settings has the same label on every commit; any other set has another one. Where
    a limit or a scenario was removed, what was added belongs to the set: it may be the same by another name.
    """
    changes = tuple(changes)
    loosened = [change for change in changes if change.direction == "loosened"]
    is_removed = any(change.action == "removed" for change in loosened)
    agreed = [
        change
        for change in changes
        if change.direction == "loosened" or (is_removed and change.action == "added")
    ]
    label = f"{prefix}:{digest_loosening(agreed)}"
    given = sorted({each for each in labels if each.casefold().startswith(prefix.casefold())})
    is_given = label.casefold() in {each.casefold() for each in given}
    return Approval(
        label=label,
        loosened=len(loosened),
        is_given=is_given,
        others=tuple(each for each in given if each.casefold() != label.casefold() and _means(each, prefix)),
    )


def digest_loosening(loosened: Iterable[ThresholdChange]) -> str:
    """26 characters of base32: 128 bits of SHA-256 over every setting with its old and new value."""
    rows = (
        (each.scenario, each.endpoint, each.setting, each.old, each.new, *filter(None, [each.content]))
        for each in loosened
    )
    return base64.b32encode(digest_rows(rows)[:_DIGEST_BYTES]).decode().rstrip("=").lower()


def _means(label: str, prefix: str) -> bool:
    """Whether it is the bare label, or one with a digest: not another label that begins alike."""
    return label[len(prefix) :][:1] in {"", ":"}
