"""How often each statement was called since the first look, and how long it took (pg_stat_statements)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ci_gate.evidence.readings import MAX_STATEMENTS, StatementTotal

_MAX_HIDDEN: Final = 20
"""Of those whose texts are asked for at once, some may be the probe's own."""


class StatementCounts:
    """The statements that were called since then, of these the most frequent and the slowest."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, float]] | None = None
        self._risen: dict[int, tuple[int, float]] = {}
        self._texts: dict[int, str] = {}  # empty: one that is not to be shown

    def update(self, now: Mapping[int, tuple[int, float]]) -> None:
        """Take calls and ms by id as they stand. A count that fell began again at 0."""
        first = self._first = dict(now) if self._first is None else self._first
        for key, (calls, _ms) in now.items():
            if calls < first.get(key, (0, 0.0))[0]:
                first[key] = (0, 0.0)
        self._risen = {
            key: (calls - before[0], max(ms - before[1], 0.0))
            for key, (calls, ms) in now.items()
            if calls > (before := first.get(key, (0, 0.0)))[0]
        }

    def list_unnamed(self) -> list[int]:
        """The ids whose texts are not known yet."""
        return [
            key for key in self._select(self._risen, MAX_STATEMENTS + _MAX_HIDDEN) if key not in self._texts
        ]

    def name(self, ids: Iterable[int], texts: Mapping[int, str]) -> None:
        """Take the texts of ``ids``; one without is not to be shown."""
        self._texts |= {key: texts.get(key, "") for key in ids}

    def list_totals(self) -> tuple[StatementTotal, ...]:
        """Of each text, the slowest first; ids that have the same are one statement."""
        totals: dict[str, tuple[int, float]] = {}
        for key in self._select((key for key in self._risen if self._texts.get(key)), MAX_STATEMENTS):
            calls, ms = self._risen[key]
            so_far = totals.get(self._texts[key], (0, 0.0))
            totals[self._texts[key]] = (so_far[0] + calls, so_far[1] + ms)
        found = (StatementTotal(query=text, calls=each[0], total_ms=each[1]) for text, each in totals.items())
        return tuple(sorted(found, key=lambda each: -each.total_ms))

    def _select(self, keys: Iterable[int], number: int) -> tuple[int, ...]:
        """Of the keys so many that took longest, and so many that were called most often."""
        keys = tuple(keys)
        slowest = sorted(keys, key=lambda key: -self._risen[key][1])[:number]
        most_called = sorted(keys, key=lambda key: -self._risen[key][0])[:number]
        return tuple(dict.fromkeys((*slowest, *most_called)))
