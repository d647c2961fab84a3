"""Lets a LoadTestShape of the locustfile decide how many users run, or a part of them. Runs inside Locust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ci_gate.evidence.recording import ShapePlan, scale_users

if TYPE_CHECKING:
    from locust.env import Environment


class ShapeRun:
    """One shape in use. ``target_users`` is what it asked for last; ``has_ended``: it has ended the load."""

    def __init__(self, plan: ShapePlan, environment: Environment) -> None:
        self._share = plan.share
        self.has_ended = False
        self._asked = 0  # by the shape itself, before it was scaled
        self.target_users: int | None = None
        shape: Any = (environment.available_shape_classes or {})[plan.name]
        self._tick, self._count = shape.tick, shape.get_current_user_count
        shape.runner = environment.runner
        shape.tick = self._tick_scaled
        shape.get_current_user_count = self._count_unscaled
        environment.shape_class = shape

    def _tick_scaled(self) -> Any:
        now = self._tick()
        if now is None:
            self.has_ended = True
            return None
        users, rate, *more = now
        self._asked, self.target_users = users, scale_users(users, self._share)
        return (self.target_users, rate * self._share, *more)

    def _count_unscaled(self) -> int:
        """As many as the shape would see of all its users: it may wait for those that it asked for."""
        running: int = self._count()
        return self._asked if running == self.target_users else round(running / self._share)
