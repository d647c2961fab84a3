"""What made a verdict what it is, in sentences; every format only marks and escapes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.compare.comparison import Change, NotCompared
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import (
    describe_starts,
    format_change,
    format_interval,
    format_sides,
    rank_change,
)
from ci_gate.report.cells import format_measured, format_percent
from ci_gate.report.escape import clean
from ci_gate.report.limits import describe_limit
from ci_gate.thresholds import ALL_ENDPOINTS, CPU, metric_of
from ci_gate.wording import count, format_number

Kind = Literal["breach", "worse", "unclear", "invalid", "info"]
"""``breach``: a limit is broken. ``worse``: head is worse than base allows. ``unclear``: it could not be
compared. ``invalid``: the measurement cannot be judged. ``info``: worth knowing, changes no verdict."""

_MAX_ENDPOINT_LENGTH: Final = 100  # so that where a format cuts a subject, its metric stays
_MAX_MISSING: Final = 6
_EXAMPLES: Final = 3
_MAX_DECIDING_S: Final = 3600.0  # nobody waits longer for a pull request
_MAX_TOLERANCE: Final = 1.0  # nobody sets a greater one, for nothing would break it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One thing that a verdict says, as plain text that is not cleaned yet.

    ``subject`` is a name. ``figure`` is the part of the text that may be stressed. Findings have a ``code``.
    ``remedy`` is what would fix what blocks, or decide what is unclear. ``line`` is that of the limit in
    thresholds.yaml.
    """

    subject: str
    text: str
    kind: Kind
    figure: str = ""
    code: str | None = None
    remedy: str | None = None
    line: int | None = None

    @property
    def link(self) -> str:
        """What stands between subject and text."""
        return " " if self.code is None else ": "

    @property
    def remedy_label(self) -> str:
        """What stands before the remedy."""
        return "To fix it" if self.code is not None else "To decide it"

    @property
    def plain(self) -> str:
        """Subject and text, without markup."""
        return f"{self.subject}{self.link}{self.text}"


def explain(scenario: ScenarioVerdict) -> tuple[Sentence, ...]:
    """Why a scenario did not pass, the cause before what follows from it; empty for one that did.

    What is broken, then what was found; the other way round where the run shows nothing about limits.
    """
    breaches = (_explain_breach(limit, scenario.comparison) for limit in scenario.breaches)
    broken = (*breaches, *_explain_comparison(scenario))
    found = tuple(map(explain_finding, list_blocking(scenario.findings)))
    return (*found, *broken) if scenario.outcome == Outcome.INVALID else (*broken, *found)


def explain_rest(scenario: ScenarioVerdict) -> tuple[Sentence, ...]:
    """What else is worth knowing of a scenario and decided nothing."""
    duet = scenario.comparison
    changes = duet.changes if duet else ()
    unclear = [each for each in changes if each.outcome == Outcome.INCONCLUSIVE]
    taken_back = [each for each in changes if duet and each.outcome == Outcome.PASS and duet.find_start(each)]
    decides = duet if scenario.outcome == Outcome.INCONCLUSIVE else None
    rest = [
        *(_explain_change(change, decides) for change in unclear),
        *(_explain_change(change, duet) for change in taken_back),
        *(explain_missing(duet) if duet else ()),
        *(explain_doubts(duet) if duet else ()),
        *map(explain_finding, scenario.findings),
    ]
    reasons = explain(scenario)
    return tuple(each for each in rest if each not in reasons)


def _explain_breach(limit: LimitResult, duet: DuetVerdict | None = None) -> Sentence:
    """With base's figure where there is one: whether base breaks the limit too is what is asked next."""
    same = (each for each in (duet.changes if duet else ()) if _is_about(each, limit))
    beside = next((_describe_beside(change, limit) for change in same), "")
    return Sentence(
        subject=name_subject(limit.endpoint, limit.metric),
        text=f"{describe_limit(limit)}{beside}",
        kind="breach",
        figure=format_measured(limit),
        line=limit.line,
    )


def _is_about(change: Change, limit: LimitResult) -> bool:
    return (change.endpoint, change.metric) == (limit.endpoint, limit.metric)


def _describe_beside(change: Change, limit: LimitResult) -> str:
    base, head = format_sides(change)
    too = ", which breaks it too" if metric_of(limit.metric).breaks(change.base, limit.bound) else ""
    unit = metric_of(limit.metric).unit.symbol
    return f"; beside base {head}, base itself {base}{unit}{too}"


def _explain_comparison(scenario: ScenarioVerdict) -> Iterator[Sentence]:
    """Broken tolerances, the most telling first; where that made the outcome, what is unclear, and why."""
    duet = scenario.comparison
    if duet is None:
        return
    for change in sorted(duet.changes, key=_order_change, reverse=True):
        if change.outcome == Outcome.FAIL or change.outcome == scenario.outcome == Outcome.INCONCLUSIVE:
            yield _explain_change(change, duet)
    if duet.outcome == scenario.outcome != Outcome.FAIL:
        yield from explain_doubts(duet)


def _order_change(change: Change) -> tuple[bool, tuple[bool, bool, float]]:
    """All requests together, then single endpoints; of both what says most."""
    return change.endpoint == ALL_ENDPOINTS, rank_change(change)


def _explain_change(change: Change, duet: DuetVerdict | None = None) -> Sentence:
    """With what would decide it where it is unclear, if the whole comparison is known."""
    is_unclear = change.outcome == Outcome.INCONCLUSIVE
    kinds: dict[Outcome, Kind] = {Outcome.FAIL: "worse", Outcome.PASS: "info"}
    return Sentence(
        subject=name_subject(change.endpoint, change.metric),
        text=describe_change(change, duet),
        kind=kinds.get(change.outcome, "unclear"),
        figure=format_change(change),
        remedy=describe_deciding(change, duet) if duet and is_unclear else None,
    )


def explain_finding(finding: Finding) -> Sentence:
    """The finding in a sentence, with what would fix it unless it is a note."""
    is_note = finding.severity == "info"
    return Sentence(
        subject=finding.about,
        text=finding.message,
        kind="info" if is_note else "invalid",
        code=finding.code,
        remedy=None if is_note else finding.remedy,
    )


def explain_doubts(duet: DuetVerdict) -> tuple[Sentence, ...]:
    """A sentence for each finding of the comparison: what kept it from being made, or from being trusted."""
    kind: Kind = "unclear" if duet.outcome == Outcome.INCONCLUSIVE else "invalid"
    return tuple(replace(explain_finding(each), kind=kind) for each in list_blocking(duet.findings))


def explain_missing(duet: DuetVerdict) -> Iterator[Sentence]:
    """A sentence for each comparison that could not be made; of many, a few and how many more."""
    missing = sorted(duet.not_compared, key=lambda each: -each.head_samples)
    shown = missing if len(missing) <= _MAX_MISSING else missing[:_EXAMPLES]
    for each in shown:
        subject = name_subject(each.endpoint, each.metric)
        yield Sentence(subject=subject, text=describe_missing(each), kind="info")
    if len(missing) > len(shown):
        more = f"{len(missing) - len(shown):,} more"
        yield Sentence(subject=more, text="were not compared for the same reason", kind="info")


def explain_under_base(row: UnderBase) -> tuple[Sentence, ...]:
    """Why the same evidence does not pass under base's thresholds; empty where it does."""
    return (
        *map(_explain_breach, row.breaches),
        *map(_explain_change, row.worse),
        *(Sentence(subject=name, text="has no figure", kind="unclear") for name in row.unknown),
    )


def list_blocking(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that stand against a PASS, in their order."""
    return [finding for finding in findings if finding.severity != "info"]


def name_subject(endpoint: str, metric: str) -> str:
    """``GET /items p95``; a long name is cut before its metric."""
    return f"{clean(endpoint, _MAX_ENDPOINT_LENGTH)} {metric}"


def describe_change(change: Change, duet: DuetVerdict | None = None) -> str:
    """``went from 200 to 262 ms against base, +31 % (+27 to +35); the tolerance is 20 %``.

    Where it is unclear, also what was detectable; where there was a second start, what that said.
    """
    base, head = format_sides(change)
    size = f"{format_change(change)} ({format_interval(change)})"
    paired = "" if _is_plain(change) else " window by window"
    text = f"went from {base} to {head} against base,{paired} {size}"
    text += f"; the tolerance is {format_percent(change.tolerance)}"
    if change.outcome == Outcome.INCONCLUSIVE:
        text += f", and {describe_detectable(change)}"
    return text + (_describe_second(change, duet) if duet else "")


def _describe_second(change: Change, duet: DuetVerdict) -> str:
    if change.outcome == Outcome.FAIL and duet.confirmation and duet.confirmation.failure:
        return "; a second start could not be used to confirm it"
    starts = describe_starts(change, duet)
    if not starts:
        return ""
    if change.outcome == Outcome.FAIL:
        return f"; confirmed on a second start ({starts})"
    return f"; not confirmed on a second start ({starts}): two starts of one version may differ as much"


def _is_plain(change: Change) -> bool:
    """Whether both figures say what the paired estimate says: a reader divides one by the other."""
    if metric_of(change.metric).is_share:
        plain = change.head - change.base
    else:
        plain = change.head / change.base - 1 if change.base else math.inf
    return change.low <= plain <= change.high


def describe_deciding(change: Change, duet: DuetVerdict) -> str:
    """What would have decided an unclear comparison: how much more load, or which tolerance.

    The least detectable change shrinks with the root of the time, so the time is its square; but not what two
    starts differ by.
    """
    if duet.find_start(change):
        return "run it again; if it is worse again, both are started twice more"
    if change.mde <= change.tolerance:
        return "run it again: this is too close to the tolerance, or made by a few stalls"
    if change.mde > _MAX_TOLERANCE:
        return "many more requests: these are too few to tell"
    tolerated = f"a tolerance of {format_percent(math.ceil(change.mde * 100) / 100)}"
    is_share = metric_of(change.metric).is_share
    sizes = [size if is_share else math.log1p(size) for size in (change.mde, change.tolerance)]
    needed_s = duet.duration_s * (sizes[0] / sizes[1]) ** 2 if sizes[1] else math.inf
    if needed_s > _MAX_DECIDING_S:
        return tolerated
    minutes = count(math.ceil(needed_s / 60), "minute")
    return f"about {minutes} under load instead of {duet.duration_s:.0f} s (max_duration), or {tolerated}"


def describe_detectable(change: Change) -> str:
    """The least change that the samples could show, in a sentence."""
    return f"less than {format_number(change.mde * 100)} % was not detectable"


def describe_missing(missing: NotCompared) -> str:
    """What kept one comparison from being made."""
    if missing.lacking == "databases" and missing.metric == CPU.name:
        return "was not measured: base and head share one database server, whose CPU is of both"
    if missing.lacking == "databases":
        return "was not measured: base and head share one database, which counts the statements of both"
    if missing.lacking == "readings":
        return "was not measured: what the service used could not be read on both sides"
    counts = f"{missing.base_samples:,} on base, {missing.head_samples:,} on head"
    return f"was not compared: too few {missing.lacking} ({counts})"
