"""In which code head takes longer than base, or most time: the same rows for terminal, comment and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ci_gate.judge.code.alone import CodeCost, FunctionCost, HeadCode
from ci_gate.judge.code.costs import REAL
from ci_gate.judge.code.difference import CodeChange, CodeTime, FunctionChange, TimeChange
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.cells import format_ms
from ci_gate.report.document import Piece, Rank, make_table
from ci_gate.report.escape import (
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    clean,
    code_span,
    escape_markdown,
    keep_together,
)
from ci_gate.thresholds.metrics import MS
from ci_gate.wording import add_sign

HEADERS: Final = ("function", "file", "time of", "base", "head", "more", "with all below", "its file")
ALONE_HEADERS: Final = ("function", "file", "CPU", "waiting", "CPU with all below")
_TITLE: Final = "Which code takes longer"
_ALONE_TITLE: Final = "Which code takes most time"
_NOTHING: Final = "no function takes clearly longer"
_TOO_FEW: Final = "too few samples to name a function"
_HOW_TO_READ: Final = (
    "Milliseconds of a success, with four standard errors. What a library does counts for the function that "
    "calls it. Code that was only moved or renamed takes more in one place and less in another: its file, or "
    "the function above it, does not."
)
_HOW_TO_READ_ALONE: Final = (
    "Milliseconds of a success, with four standard errors, of head alone: nothing was compared. What "
    "a library does counts for the function that calls it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A function as text: its cells under HEADERS."""

    function: str
    place: str
    kind: str
    base: str
    head: str
    more: str
    subtree: str
    in_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneRow:
    """A function of head alone as text: its cells under ALONE_HEADERS."""

    function: str
    place: str
    cpu: str
    waiting: str
    subtree: str


def list_costs_alone(code: HeadCode) -> tuple[AloneRow, ...]:
    """A row for each function, what costs most first; nothing in it is escaped."""
    return tuple(
        AloneRow(
            function=each.name,
            place=_place(each),
            cpu=_format_cost(each.cpu),
            waiting=_format_cost(each.waiting),
            subtree=_format_cost(each.subtree),
        )
        for each in code.functions
    )


def _format_cost(cost: CodeCost) -> str:
    return f"{format_ms(cost.ms)} ± {format_ms(REAL * cost.error_ms)}" if cost.ms else "-"


def _place(function: FunctionChange | FunctionCost) -> str:
    """Its file, and its line where that is known."""
    return f"{function.file}:{function.line}" if function.line else function.file


def list_functions(code: CodeChange) -> tuple[CodeRow, ...]:
    """A row for each function, what explains most first; nothing in it is escaped."""
    return tuple(map(_make_row, code.functions))


def _make_row(function: FunctionChange) -> CodeRow:
    return CodeRow(
        function=function.name,
        place=_place(function),
        kind=_name_kind(function),
        base=format_ms(function.grown.base_ms),
        head=format_ms(function.grown.head_ms),
        more=_format_more(function.grown),
        subtree=_format_more(_pick(function.subtree, function)),
        in_file=_format_more(_pick(function.in_file, function)),
    )


def _name_kind(function: FunctionChange) -> str:
    """What waits for the interpreter's lock waits because of what it computes as well."""
    if not function.waits:
        return "CPU"
    cpu = function.own.cpu
    return f"waiting (and CPU {_format_more(cpu)})" if cpu.is_real else "waiting"


def _pick(time: CodeTime, function: FunctionChange) -> TimeChange:
    return time.waiting if function.waits else time.cpu


def _format_more(change: TimeChange) -> str:
    more = add_sign(change.more_ms, format_ms(abs(change.more_ms)))
    return f"{more} ± {format_ms(REAL * change.error_ms)}"


def explain_columns(code: CodeChange) -> str:
    """How its table is read."""
    return _HOW_TO_READ_ALONE if code.alone else _HOW_TO_READ


def title_code(code: CodeChange) -> str:
    """What the functions of it are."""
    return _ALONE_TITLE if code.alone else _TITLE


def describe_code(code: CodeChange) -> str:
    """One sentence: the CPU time of a success, and what is not known; or why nothing is."""
    if code.why_not:
        return f"not known: {code.why_not}"
    if code.alone:
        samples = f"{code.alone.samples:,} samples on a CPU"
        figures = f"head alone: CPU of a success {_format_cost(code.alone.cpu)} ({samples})"
        return "; ".join((figures, *(() if code.alone.functions else (_TOO_FEW,)), *code.notes))
    if code.cpu is None:
        return "not known"
    sides = f"{format_ms(code.cpu.base_ms)} → {format_ms(code.cpu.head_ms)}"
    samples = f"{code.samples_base:,} and {code.samples_head:,} samples on a CPU"
    figures = f"CPU of a success {sides} ({_format_more(code.cpu)}; {samples})"
    return "; ".join((figures, *(() if code.functions else (_NOTHING,)), *code.notes))


def explain_code_in_terminal(scenario: ScenarioVerdict) -> Iterator[str]:
    """Lines of a scenario whose code was sampled, or was to be."""
    code = scenario.code
    if code is None:
        return
    yield f"  CODE    {clean(describe_code(code), MAX_TEXT_LENGTH)}"
    for row in list_functions(code):
        time = f"{row.kind} {row.base} → {row.head} ({row.more})"
        yield f"          {_name_in_terminal(row)}: {time}"
        yield f"            with all below {row.subtree}; its file {row.in_file}"
    for alone in list_costs_alone(code.alone) if code.alone else ():
        time = f"CPU {alone.cpu}, waiting {alone.waiting}; CPU with all below {alone.subtree}"
        yield f"          {_name_in_terminal(alone)}: {time}"


def _name_in_terminal(row: CodeRow | AloneRow) -> str:
    return f"{clean(row.function, MAX_NAME_LENGTH)} {clean(row.place, MAX_NAME_LENGTH)}"


def make_which_code(scenario: ScenarioVerdict) -> Piece:
    """One open line of a scenario that failed: the function that explains most, or why none is known."""
    code, line = scenario.code, ""
    if code is not None and scenario.outcome == Outcome.FAIL:
        if code.functions:
            row = list_functions(code)[0]
            time = f"{row.base} → {row.head} of {row.kind} for each success"
            line = f"{code_span(row.function)} in {code_span(row.place)}: {time}."
        elif code.alone and code.alone.functions:
            alone = list_costs_alone(code.alone)[0]
            time = f"CPU {alone.cpu}, waiting {alone.waiting} for each success, most of all functions of head"
            line = f"{code_span(alone.function)} in {code_span(alone.place)}: {time}."
        else:
            nothing = _TOO_FEW if code.alone else _NOTHING
            why_not = f"not known: {code.why_not}" if code.why_not else "; ".join((nothing, *code.notes))
            line = escape_markdown(f"{why_not}.")
    return Piece(items=(f"**Which code:** {line}",) if line else (), noun="reason", rank=Rank.REASONS)


def _escape_cells(row: CodeRow) -> tuple[str, ...]:
    names = (code_span(row.function), code_span(row.place))
    return (*names, row.kind, *map(_shorten, (row.base, row.head, row.more, row.subtree, row.in_file)))


def _shorten(time: str) -> str:
    """On one line, and without the unit, which stands above the table."""
    return keep_together(time.replace(MS.symbol, ""))


def make_code_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A folded table of the functions of each scenario whose code was sampled."""
    for scenario in scenarios:
        code = scenario.code
        if code and code.functions:
            rows = tuple(map(_escape_cells, list_functions(code)))
            table = make_table(HEADERS, rows, "lllrrrrr", noun="function", rank=Rank.LIMITS)
        elif code and code.alone and code.alone.functions:
            rows = tuple(
                (
                    code_span(row.function),
                    code_span(row.place),
                    *map(_shorten, (row.cpu, row.waiting, row.subtree)),
                )
                for row in list_costs_alone(code.alone)
            )
            table = make_table(ALONE_HEADERS, rows, "llrrr", noun="function", rank=Rank.LIMITS)
        else:
            continue
        head = f"**{code_span(scenario.name)}**: {escape_markdown(describe_code(code))}"
        yield replace(table, head=f"{head}\n\n{explain_columns(code)}\n\n{table.head}", fold=title_code(code))
