"""Threshold changes as pieces of the comment: what an edit asks for, and the verdict under both files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ci_gate.judge.changes.approval import Approval
from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.report.document import Piece, Rank, make_table
from ci_gate.report.escape import code_span
from ci_gate.report.explain import explain_under_base
from ci_gate.report.outcome_words import SYMBOLS
from ci_gate.report.reasons import mark_text
from ci_gate.wording import NOTHING, count

_DIRECTIONS: Final = {"loosened": "⚠️", "changed": "🔁", "tightened": "🔒"}
_HEADERS: Final = ("", "setting", "base", "head", "where")
_BOTH_HEADERS: Final = ("scenario", "by base's thresholds", "by this change's", "why")
_MAX_REASONS: Final = 3
_MAX_LOOSENED: Final = 10


def explain_approval(approval: Approval, changes: Sequence[ThresholdChange]) -> tuple[str, ...]:
    """Paragraphs of Markdown: what is loosened, and which label approves exactly that; none for nothing."""
    if not approval.loosened:
        return ()
    loosened = f"{count(approval.loosened, 'setting is', 'settings are')} loosened"
    label = code_span(approval.label)
    if approval.is_given:
        opening = f"⚠️ {loosened}, approved by the label {label}, which stands for exactly this:"
    else:
        opening = (
            f"❌ **{loosened}** and not approved. A maintainer who agrees adds the label {label}: pasted into"
            " this pull request's menu *Labels*, it is created by one click. It approves exactly this:"
        )
    others = ", ".join(map(code_span, approval.others[:_MAX_REASONS]))
    if others and not approval.is_given:
        plural = "s" if len(approval.others) > 1 else ""
        return opening, _list_loosened(changes), f"The label{plural} {others} approved something else."
    return opening, _list_loosened(changes)


def _list_loosened(changes: Sequence[ThresholdChange]) -> str:
    loosened = [change for change in changes if change.direction == "loosened"]
    lines = [f"- {_describe_loosened(change)}" for change in loosened[:_MAX_LOOSENED]]
    more = len(loosened) - len(lines)
    lines += [f"- {more:,} more, under *Threshold changes*"] if more else []
    return "\n".join(lines)


def _describe_loosened(change: ThresholdChange) -> str:
    """One setting with its old and its new value, as Markdown."""
    what = " ".join(code_span(name) for name in (change.scenario, change.endpoint, change.setting) if name)
    old, new = ("nothing" if text is None else code_span(text) for text in (change.old, change.new))
    return f"{what}: {old} → {new}"


def make_change_pieces(
    changes: Sequence[ThresholdChange], under_base: Sequence[UnderBase]
) -> Iterator[Piece]:
    """A folded table of the changes, and one of the verdict under base's thresholds and under these."""
    directions = [change.direction for change in changes]
    parts = [f"{directions.count(each)} {each}" for each in _DIRECTIONS if each in directions]
    fold = f"Threshold changes: {', '.join(parts)}"
    table = make_table(
        _HEADERS, map(_change_row, changes), "lllll", noun="threshold change", rank=Rank.CHANGES
    )
    yield replace(table, fold=fold)
    both = make_table(
        _BOTH_HEADERS, map(_outcome_row, under_base), "llll", noun="scenario under base", rank=Rank.CHANGES
    )
    yield replace(both, fold=fold)


def make_under_both(changes: Sequence[ThresholdChange], under_base: Sequence[UnderBase]) -> Piece:
    """An open table of what a loosening is worth: the verdict by base's thresholds and by these.

    Of base's scenarios whose settings are loosened, or whose verdict differs; of all for what holds for all.
    """
    loosened = {change.scenario for change in changes if change.direction == "loosened"}
    rows = [row for row in under_base if row.base and (row.base != row.head or loosened & {"", row.scenario})]
    return make_table(
        _BOTH_HEADERS, map(_outcome_row, rows), "llll", noun="scenario under base", rank=Rank.CHANGES
    )


def _change_row(change: ThresholdChange) -> tuple[str, ...]:
    where = " ".join(code_span(name) for name in (change.scenario, change.endpoint) if name)
    shown = [NOTHING if text is None else code_span(text) for text in (change.old, change.new)]
    what = change.direction if change.action == "edited" else f"{change.action}, {change.direction}"
    return (
        f"{_DIRECTIONS[change.direction]}\N{NO-BREAK SPACE}{what}",
        code_span(change.setting),
        *shown,
        where or NOTHING,
    )


def _outcome_row(row: UnderBase) -> tuple[str, ...]:
    known = explain_under_base(row)
    reasons = [mark_text(each) for each in known[:_MAX_REASONS]]
    reasons += [f"{len(known) - len(reasons):,} more"] if len(known) > len(reasons) else []
    outcomes = [
        f"{SYMBOLS[each]}\N{NO-BREAK SPACE}{each}" if each else NOTHING for each in (row.base, row.head)
    ]
    return code_span(row.scenario), *outcomes, "; ".join(reasons) or NOTHING
