# ruff: noqa: S311  # load is drawn at random; nothing here is a secret
"""Deployments as people order them: mostly small and safe, about one in eight for a board to decide."""

from __future__ import annotations

import random
from typing import Any

_NEEDS_ADMIN = 0.2
_HAS_ROLLBACK = 0.9
_RINGS = ("canary", "pilot", "department", "global")
_RING_WEIGHTS = (40, 30, 20, 10)
_DEVICE_COUNTS = (20, 150, 1500, 12_000)
_DEVICE_WEIGHTS = (40, 35, 20, 5)


def draw_draft() -> dict[str, Any]:
    """The body of POST /api/v1/deployments, drawn at random."""
    return {
        "application": f"application-{random.randrange(40):02}",
        "version": f"{random.randrange(1, 10)}.{random.randrange(20)}.0",
        "ring": random.choices(_RINGS, _RING_WEIGHTS)[0],
        "device_count": random.choices(_DEVICE_COUNTS, _DEVICE_WEIGHTS)[0],
        "needs_admin": random.random() < _NEEDS_ADMIN,
        "has_rollback": random.random() < _HAS_ROLLBACK,
    }
