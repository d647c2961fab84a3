"""Why it was slow, in words: the causes in their order, what to do next, and what was not observed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.diagnosis.causes import UNKNOWN, Cause
from ci_gate.judge.diagnosis.log_lines import OF_THE_LOG
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.document import Piece, Rank, make_list
from ci_gate.report.escape import MAX_TEXT_LENGTH, clean, code_span, escape_markdown

_FOLD: Final = "Diagnosis: what held the requests up"
_NOTHING: Final = "nothing that was observed was saturated"
_NUMBERS_IN_TERMINAL: Final = 2
_NUMBERS_IN_A_LINE: Final = 3


def make_diagnoses(scenarios: Sequence[ScenarioVerdict]) -> Iterator[Piece]:
    """A folded list for each scenario: its causes, or what will run out first where it passed."""
    for scenario in scenarios:
        diagnosis = scenario.diagnosis
        if diagnosis is None or not has_something_to_say(scenario):
            continue
        lines: tuple[Cause | str, ...] = diagnosis.causes or (_NOTHING,)
        lines += tuple(f"not observed: {each}" for each in diagnosis.unknown)
        summary = (
            ": its limits are kept; this is what runs out first" if scenario.outcome == Outcome.PASS else ""
        )
        yield replace(
            make_list(lines, _describe, noun="cause", rank=Rank.LIMITS),
            head=f"**{code_span(scenario.name)}**{summary}\n",
            fold=_FOLD,
        )


def has_something_to_say(scenario: ScenarioVerdict) -> bool:
    """That nothing was saturated is worth a word beside a FAIL alone: nothing else has to be explained."""
    return bool(scenario.diagnosis and (scenario.diagnosis.causes or scenario.outcome == Outcome.FAIL))


def make_why(scenario: ScenarioVerdict) -> Piece:
    """One open line for a scenario that failed: its first cause, and what to do next.

    Below it, or of one that is INVALID alone, what the service's log says beside failing replies.
    """
    diagnosis, lines, first = scenario.diagnosis, [], None
    if diagnosis is not None and scenario.outcome == Outcome.FAIL:
        first = diagnosis.causes[0] if diagnosis.causes else None
        line = _describe(first, _NUMBERS_IN_A_LINE) if first else f"not known: {_NOTHING}."
        if (first is None or _is_unknown(diagnosis)) and diagnosis.unknown:
            line += f" Not observed: {escape_markdown('; '.join(diagnosis.unknown))}."
        lines.append(f"**Why:** {line}")
    if diagnosis is not None and scenario.outcome in {Outcome.FAIL, Outcome.INVALID}:
        others = (cause for cause in diagnosis.causes if cause is not first)
        lines += [f"\n**Beside failing replies:** {text}." for text in _find_log_lines(others)]
    return Piece(items=tuple(lines), noun="reason", rank=Rank.REASONS)


def _find_log_lines(causes: Iterable[Cause]) -> Iterator[str]:
    numbers = (number for cause in causes for number in cause.numbers)
    return (escape_markdown(number) for number in numbers if number.startswith(OF_THE_LOG))


def _describe(line: Cause | str, max_numbers: int | None = None) -> str:
    if isinstance(line, str):
        return escape_markdown(line)
    numbers = "; ".join(line.numbers[:max_numbers])
    share = f", {describe_share(line)}" if line.share is not None else ""
    cause = f"**{escape_markdown(line.title)}** ({code_span(line.code)}{share})"
    return f"{cause}: {escape_markdown(numbers)}. *Next:* {escape_markdown(line.next_step)}."


def explain_in_terminal(scenario: ScenarioVerdict) -> Iterator[str]:
    """Lines for a scenario that did not pass: its first cause with numbers, the others by name."""
    diagnosis = scenario.diagnosis
    if diagnosis is None or scenario.outcome == Outcome.PASS or not has_something_to_say(scenario):
        return
    if not diagnosis.causes:
        yield f"  WHY     not known: {_NOTHING}"
        yield from (f"          not observed: {clean(each, MAX_TEXT_LENGTH)}" for each in diagnosis.unknown)
        return
    first, *others = diagnosis.causes
    numbers = "; ".join(first.numbers[:_NUMBERS_IN_TERMINAL])
    yield "  WHY     " + clean(f"{_name(first)}: {first.title}; {numbers}", MAX_TEXT_LENGTH)
    yield "          -> " + clean(first.next_step, MAX_TEXT_LENGTH)
    if _is_unknown(diagnosis):
        yield from (f"          not observed: {clean(each, MAX_TEXT_LENGTH)}" for each in diagnosis.unknown)
    if others:
        yield "          also " + clean(", ".join(map(_name, others)), MAX_TEXT_LENGTH)


def _is_unknown(diagnosis: Diagnosis) -> bool:
    return any(cause.code == UNKNOWN for cause in diagnosis.causes)


def _name(cause: Cause) -> str:
    share = f" {describe_share(cause)}" if cause.share is not None else ""
    return f"[{cause.code}]{share}"


def describe_share(cause: Cause) -> str:
    """``94 % of the requests' time``; empty where the cause has no share."""
    if cause.share is None:
        return ""
    whole = "requests" if cause.share_of == "requests" else "requests' time"
    return f"{100 * cause.share:.0f} % of the {whole}"
