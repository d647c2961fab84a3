"""What a proof of a validity rule is."""

from __future__ import annotations

from dataclasses import dataclass

SHORT = "10 ShopUser\nsteady 20 s\nlimit all p50 1s\n"


@dataclass(frozen=True)
class Proof:
    """Lines on top of the healthy evidence, or whole evidence where they begin with a user class.

    ``says`` must stand in one of the messages of the finding.
    """

    code: str
    red: str
    says: str
    green: str
