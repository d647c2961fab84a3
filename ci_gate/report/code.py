"""In which code head takes longer than base: the same rows for terminal, comment and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ci_gate.judge.code.difference import CodeChange, CodeTime, FunctionChange, TimeChange
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.cells import format_ms
from ci_gate.report.document import Piece, Rank, make_table
from ci_gate.report.escape import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, clean, code_span, escape_markdown
from ci_gate.wording import add_sign

HEADERS: Final = ("function", "file", "time of", "base", "head", "more", "with all below", "its file")
_FOLD: Final = "Which code takes longer"
_NOTHING: Final = "no function takes clearly longer"
HOW_TO_READ: Final = (
    "Milliseconds of a success, with three standard errors. What a library does counts for the function that "
    "calls it. Code that was only moved or renamed takes more in one place and less in another: its file, or "
    "the function above it, does not. A coroutine that waits is on no stack."
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


def list_functions(code: CodeChange) -> tuple[CodeRow, ...]:
    """A row for each function, what explains most first; nothing in it is escaped."""
    return tuple(map(_make_row, code.functions))


def _make_row(function: FunctionChange) -> CodeRow:
    return CodeRow(
        function=function.name,
        place=f"{function.file}:{function.line}",
        kind="waiting" if function.waits else "CPU",
        base=format_ms(function.grown.base_ms),
        head=format_ms(function.grown.head_ms),
        more=_format_more(function.grown),
        subtree=_format_more(_pick(function.subtree, function)),
        in_file=_format_more(_pick(function.in_file, function)),
    )


def _pick(time: CodeTime, function: FunctionChange) -> TimeChange:
    return time.waiting if function.waits else time.cpu


def _format_more(change: TimeChange) -> str:
    more = add_sign(change.more_ms, format_ms(abs(change.more_ms)))
    return f"{more} ± {format_ms(3 * change.error_ms)}"


def describe_code(code: CodeChange) -> str:
    """One sentence: the CPU time of a success on both sides, or why nothing is known."""
    if code.why_not:
        return f"not known: {code.why_not}"
    if code.cpu is None:
        return "not known"
    sides = f"{format_ms(code.cpu.base_ms)} → {format_ms(code.cpu.head_ms)}"
    samples = f"{code.samples_base:,} and {code.samples_head:,} samples on a CPU"
    nothing = "" if code.functions else f"; {_NOTHING}"
    return f"CPU of a success {sides} ({_format_more(code.cpu)}; {samples}){nothing}"


def explain_code_in_terminal(scenario: ScenarioVerdict) -> Iterator[str]:
    """Lines of a scenario whose code was sampled, or was to be."""
    code = scenario.code
    if code is None:
        return
    yield f"  CODE    {clean(describe_code(code), MAX_TEXT_LENGTH)}"
    for row in list_functions(code):
        time = f"{row.kind} {row.base} → {row.head} ({row.more})"
        yield f"          {clean(row.function, MAX_NAME_LENGTH)} {clean(row.place, MAX_NAME_LENGTH)}: {time}"
        yield f"            with all below {row.subtree}; its file {row.in_file}"


def make_which_code(scenario: ScenarioVerdict) -> Piece:
    """One open line of a scenario that failed: the function that explains most, or why none is known."""
    code, line = scenario.code, ""
    if code is not None and scenario.outcome == Outcome.FAIL:
        if code.functions:
            row = list_functions(code)[0]
            time = f"{row.base} → {row.head} of {row.kind} for each success"
            line = f"{code_span(row.function)} in {code_span(row.place)}: {time}."
        else:
            line = escape_markdown(f"{code.why_not and 'not known: '}{code.why_not or _NOTHING}.")
    return Piece(items=(f"**Which code:** {line}",) if line else (), noun="reason", rank=Rank.REASONS)


def _escape_cells(row: CodeRow) -> tuple[str, ...]:
    names = (code_span(row.function), code_span(row.place))
    return (*names, row.kind, row.base, row.head, row.more, row.subtree, row.in_file)


def make_code_pieces(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A folded table of the functions of each scenario whose code was sampled."""
    for scenario in scenarios:
        if scenario.code is None or not scenario.code.functions:
            continue
        rows = map(_escape_cells, list_functions(scenario.code))
        table = make_table(HEADERS, rows, "lllrrrrr", noun="function", rank=Rank.LIMITS)
        head = f"**{code_span(scenario.name)}**: {escape_markdown(describe_code(scenario.code))}"
        yield replace(table, head=f"{head}\n\n{HOW_TO_READ}\n\n{table.head}", fold=_FOLD)
