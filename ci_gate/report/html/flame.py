"""A flame graph as the page shows it: SVG without a script, whose blocks keep their place at any width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ci_gate.judge.code.flame import Flame, FlameBlock
from ci_gate.report.cells import format_ms

_ROW_PX: Final = 18
_SHADES: Final = ((0.10, "3"), (0.03, "2"), (0.005, "1"))  # of the whole graph, by which a block grew


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameRect:
    """A block in percent of the width and px of the height; ``kind`` is its class, ``title`` its tooltip."""

    x: str
    y: int
    width: str
    kind: str
    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameGraph:
    """What one graph shows, and its blocks."""

    title: str
    summary: str
    has_base: bool
    height: int
    row: int
    rects: tuple[FlameRect, ...]


def make_flame_graph(flame: Flame) -> FlameGraph:
    """The graph; nothing in it is escaped."""
    what = "Time in own code, on a CPU or waiting" if flame.is_wall else "Time on a CPU"
    depth = max((block.depth for block in flame.blocks), default=-1) + 1
    return FlameGraph(
        title=what,
        summary=_compare(flame),
        has_base=flame.base_ms is not None,
        height=depth * _ROW_PX,
        row=_ROW_PX - 1,
        rects=tuple(_make_rect(block, flame) for block in flame.blocks),
    )


def _make_rect(block: FlameBlock, flame: Flame) -> FlameRect:
    return FlameRect(
        x=f"{100 * block.left:.3f}%",
        y=block.depth * _ROW_PX,
        width=f"{100 * block.width:.3f}%",
        kind=_choose_kind(block, flame),
        name=block.name,
        title=f"{block.name} ({block.file}): {_compare(block)}",
    )


def _compare(what: Flame | FlameBlock) -> str:
    if what.base_ms is None:
        return f"{format_ms(what.head_ms)} of a success"
    return f"{format_ms(what.base_ms)} of a success on base, {format_ms(what.head_ms)} on head"


def _choose_kind(block: FlameBlock, flame: Flame) -> str:
    if block.base_ms is None or flame.base_ms is None:
        return "alone"
    more = (block.head_ms - block.base_ms) / max(flame.head_ms, flame.base_ms)
    word = "more" if more > 0 else "less"
    return next((f"{word}-{shade}" for least, shade in _SHADES if abs(more) >= least), "same")
