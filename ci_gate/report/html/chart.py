"""A chart as data: what report.js draws, and a summary in words for those who do not see it.

Example, drawn where a template calls ``{{ parts.figure(chart) }}`` and the page is given ``charts=[chart]``::

    Chart(
        key="knee", title="Throughput", x=(10, 20, 40), x_label="users", y_label="requests per second",
        lines=(Line(label="measured", values=(99.0, 197.0, 251.0), colour="blue"),),
        marks=(Mark(label="knee at 31 users", at=31.0, axis="x"),),
        summary="Throughput grows to 251/s and is flat beyond 31 users.",
    )
"""

from __future__ import annotations

from typing import Literal

import msgspec

Colour = Literal["good", "bad", "base", "head", "blue", "orange", "teal", "purple", "pink", "grey"]
COLOURS: tuple[Colour, ...] = ("blue", "orange", "teal", "purple", "pink", "grey")
"""For lines that are only to be distinguished, in this order."""

Values = tuple[float | None, ...]
"""One for each x; None where nothing is known, which the line leaves out."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart. ``low`` and ``high`` (optional) shade an interval around it."""

    label: str
    values: Values
    colour: Colour
    is_dashed: bool = False
    is_filled: bool = False
    has_points: bool = False
    low: Values = ()
    high: Values = ()


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of x with a name, such as the steady phase; shaded unless ``is_plain``."""

    label: str
    begin: float
    end: float
    is_plain: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A straight line across the chart with a name, such as a limit; always within sight."""

    label: str
    at: float
    axis: Literal["x", "y"] = "y"
    tone: str = "soft"  # a colour of report.css: an outcome in lower case, or this


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """``key`` is unique in its page. Charts with the same ``sync`` share their cursor.

    ``x_kind`` says how to read x: ``elapsed`` seconds since the start, ``ms``, a plain ``number``, or
    ``name``: then x counts from 0 and ``x_names`` has the names. ``y_is_close``: the y axis shows the stretch
    where the values are, and need not begin at 0.
    """

    key: str
    title: str
    x: tuple[float, ...]
    lines: tuple[Line, ...]
    y_label: str
    summary: str
    x_label: str = ""
    x_kind: Literal["elapsed", "ms", "number", "name"] = "number"
    x_names: tuple[str, ...] = ()
    x_is_log: bool = False
    y_is_log: bool = False
    y_is_close: bool = False
    is_stepped: bool = False
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()
    sync: str = ""
