"""The table of the functions whose code was sampled."""

from __future__ import annotations

from ci_gate.judge.code.alone import HeadCode
from ci_gate.judge.code.difference import CodeChange
from ci_gate.report.code import (
    ALONE_HEADERS,
    HEADERS,
    list_costs_alone,
    list_functions,
)
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.report.html.tables import number_columns


def make_code_table(code: CodeChange) -> Table | None:
    """A row for each function that takes longer on head, or of head alone that costs most; None for none."""
    if code.alone and code.alone.functions:
        return _make_alone_table(code.alone)
    return _make_change_table(code) if code.functions else None


def _make_alone_table(code: HeadCode) -> Table:
    columns = (*(Column(title=title) for title in ALONE_HEADERS[:2]), *number_columns(*ALONE_HEADERS[2:]))
    rows = tuple(
        (
            Cell(row.function, kind="code"),
            Cell(row.place, kind="code"),
            Cell(row.cpu, function.cpu.ms),
            Cell(row.waiting, function.waiting.ms),
            Cell(row.subtree, function.subtree.ms),
        )
        for row, function in zip(list_costs_alone(code), code.functions, strict=True)
    )
    return Table(caption="Functions of head that cost most", columns=columns, rows=rows)


def _make_change_table(code: CodeChange) -> Table:
    columns = (
        *(Column(title=title) for title in HEADERS[:3]),
        *number_columns(*HEADERS[3:]),
    )
    rows = tuple(
        (
            Cell(row.function, kind="code"),
            Cell(row.place, kind="code"),
            Cell(row.kind),
            Cell(row.base, function.grown.base_ms),
            Cell(row.head, function.grown.head_ms),
            Cell(row.more, function.grown.more_ms),
            Cell(row.subtree),
            Cell(row.in_file),
        )
        for row, function in zip(list_functions(code), code.functions, strict=True)
    )
    return Table(caption="Functions that take longer on head", columns=columns, rows=rows)
