"""Threshold changes as pieces of the comment: what an edit asks for, and the verdict under both files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ci_gate.judge.threshold_changes import Approval, ThresholdChange
from ci_gate.judge.under_base import UnderBase
from ci_gate.report.against_base import format_change
from ci_gate.report.cells import NOTHING, format_bound, format_measured
from ci_gate.report.document import Piece, Rank, make_table
from ci_gate.report.escape import code_span
from ci_gate.wording import count

OUTCOMES: Final = {"PASS": "✅", "FAIL": "❌", "INVALID": "🚫", "INCONCLUSIVE": "❔"}
_EFFECTS: Final = {"loosened": "⚠️", "changed": "🔁", "tightened": "🔒"}
_HEADERS: Final = ("", "setting", "base", "head", "where")
_MOST_REASONS: Final = 3


def explain_approval(approval: Approval) -> str:
    """What a missing or given approval means, in a sentence of Markdown; empty where none is needed."""
    if not approval.loosened:
        return ""
    loosened = f"{count(approval.loosened, 'setting is', 'settings are')} loosened"
    label = code_span(approval.label)
    if approval.is_given:
        return f"⚠️ {loosened}, approved by the label {label}."
    return f"❌ **{loosened}** and not approved: a maintainer may add the label {label}, then run again."


def make_change_pieces(
    changes: Sequence[ThresholdChange], under_base: Sequence[UnderBase]
) -> Iterator[Piece]:
    """A folded table of the changes, and of the verdict under base's thresholds and under these."""
    effects = [change.effect for change in changes]
    parts = [f"{effects.count(effect)} {effect}" for effect in _EFFECTS if effect in effects]
    fold = f"Threshold changes: {', '.join(parts)}"
    table = make_table(
        _HEADERS, map(_change_row, changes), "lllll", noun="threshold change", rank=Rank.CHANGES
    )
    yield replace(table, fold=fold)
    headers = ("scenario", "under base", "under head", "why under base")
    both = make_table(
        headers, map(_outcome_row, under_base), "llll", noun="scenario under base", rank=Rank.CHANGES
    )
    yield replace(both, fold=fold)


def _change_row(change: ThresholdChange) -> tuple[str, ...]:
    where = " ".join(code_span(name) for name in (change.scenario, change.endpoint) if name)
    shown = [NOTHING if text is None else code_span(text) for text in (change.old, change.new)]
    what = change.effect if change.action == "edited" else f"{change.action}, {change.effect}"
    return (
        f"{_EFFECTS[change.effect]}\N{NO-BREAK SPACE}{what}",
        code_span(change.setting),
        *shown,
        where or NOTHING,
    )


def _outcome_row(row: UnderBase) -> tuple[str, ...]:
    reasons = [
        f"{code_span(limit.endpoint)} {code_span(limit.metric)} was {format_measured(limit)}, "
        f"must be {code_span(format_bound(limit))}"
        for limit in row.breaches[:_MOST_REASONS]
    ]
    reasons += [
        f"{code_span(change.endpoint)} {code_span(change.metric)} {format_change(change)} against base"
        for change in row.worse[:_MOST_REASONS]
    ]
    more = len(row.breaches) + len(row.worse) - len(reasons)
    reasons += [f"{more} more"] if more else []
    if row.unknown:
        reasons.append(f"no figure for {count(len(row.unknown), 'limit')}")
    outcomes = [f"{OUTCOMES[each]} {each}" if each else NOTHING for each in (row.base, row.head)]
    return code_span(row.scenario), *outcomes, "; ".join(reasons) or NOTHING
