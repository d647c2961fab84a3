"""One verdict from those of a matrix's jobs. A scenario of which nothing came back is INVALID."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ci_gate.judge.occasion import Occasion, find_attempt
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.outcomes import outcome_of_run
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.validity.run_findings import LEFT_OUT
from ci_gate.judge.verdict import VERDICT_SCHEMA, ScenarioVerdict, Verdict
from ci_gate.thresholds import DEFAULT_FILE

_SUCCESS: Final = "success"
_FAILURE: Final = "failure"
_SCENARIO: Final = "scenario"
_MEASURING: Final = frozenset({_SCENARIO, "confirm"})  # jobs that end as their own verdict does
_OF_REDS: Final = frozenset(
    {"reds", "confirm"}
)  # jobs that are skipped where no comparison is to be confirmed
NOT_MEASURED: Final = "not-measured"
NOTHING_COMPARED: Final = "nothing-compared"


def merge_verdicts(
    scenarios: Sequence[str],
    verdicts: Sequence[Verdict],
    *,
    jobs: Mapping[str, str],
    unreadable: Sequence[str] = (),
    not_compared: str = "",
    replaced: Sequence[Verdict] = (),
    occasion: Occasion | None = None,
) -> Verdict:
    """The verdict on all ``scenarios``, which is PASS only if nothing at all is missing.

    ``jobs`` maps each job that all this needs to how it ended; only ``success`` is success, for a skipped or
    cancelled job proves nothing. A job that failed because its own verdict blocks is explained by that, if
    that is of this attempt, the one of ``occasion``: what an earlier one has left explains nothing. One of
    ``replaced``, which others stand for now, explains the job of its scenario only where all verdicts are of
    this attempt: of a job that was run again and left nothing, the older verdict is still there. That no
    comparison was confirmed needs no excuse: without it the first start stands. ``unreadable`` says what came
    back and is no verdict, ``not_compared`` why head was measured alone.
    """
    merged = tuple(_find_scenario(name, verdicts) for name in scenarios)
    findings = (
        *_find_problems(scenarios, verdicts, jobs, unreadable, _find_explained(verdicts, replaced, occasion)),
        # What a job left out is true of it alone, not of all together.
        *(each for verdict in verdicts for each in verdict.findings if each.code != LEFT_OUT),
        *([_note_not_compared(not_compared)] if not_compared else ()),
    )
    outcome = outcome_of_run((scenario.outcome for scenario in merged), findings)
    first = next((each for each in verdicts if each.scenarios), verdicts[0] if verdicts else None)
    return Verdict(
        schema=VERDICT_SCHEMA,
        ci_gate_version=first.ci_gate_version if first else "",
        outcome=outcome,
        blocks=outcome.blocks or any(each.blocks for each in verdicts),
        profile=first.profile if first else "",
        started_at=min((each.started_at for each in verdicts), default=""),
        thresholds_file=first.thresholds_file if first else DEFAULT_FILE,
        thresholds_sha256=first.thresholds_sha256 if first else "",
        git=_merge_git(verdicts),
        options=first.options if first else {},
        scenarios=merged,
        findings=tuple(dict.fromkeys(findings)),
    )


def _merge_git(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The first one's, and base of whichever has one: a scenario without a tolerance is not compared."""
    return {name: value for verdict in reversed(verdicts) for name, value in verdict.git.items()}


def _find_scenario(name: str, verdicts: Sequence[Verdict]) -> ScenarioVerdict:
    found = [each for verdict in verdicts for each in verdict.scenarios if each.name == name]
    if len(found) == 1:
        return found[0]
    message = f"{len(found):,} jobs came back with a verdict on it" if found else "its job gave no verdict"
    return ScenarioVerdict(
        name=name,
        outcome=Outcome.INVALID,
        users=0,
        duration_s=0.0,
        endpoints=(),
        limits=(),
        findings=(
            Finding(
                code=NOT_MEASURED,
                severity="invalid",
                subject="scenario",
                message=message,
                remedy="see the log of its job, and run all jobs again",
            ),
        ),
    )


def _find_problems(
    scenarios: Sequence[str],
    verdicts: Sequence[Verdict],
    jobs: Mapping[str, str],
    unreadable: Sequence[str],
    explained: frozenset[str],
) -> Iterator[Finding]:
    if not scenarios:
        yield _make_invalid("nothing-measured", "no scenario was planned", "see the log of the plan job")
    for job, result in jobs.items():
        is_blocked = result == _FAILURE and job in explained
        is_needless = result == "skipped" and job in _OF_REDS
        if result != _SUCCESS and not (is_blocked or is_needless):
            is_of_verdict = result == _FAILURE and job in _MEASURING
            why = ", and no verdict of this attempt says why" if is_of_verdict else ""
            remedy = "see its log, and run all jobs again" if is_of_verdict else "see its log"
            yield _make_invalid("job-not-successful", f"the job {job} ended as {result}{why}", remedy)
    for what in unreadable:
        yield _make_invalid("verdict-unreadable", what, "see the log of the scenario's job")
    unplanned = {each.name for verdict in verdicts for each in verdict.scenarios} - {*scenarios}
    for name in sorted(unplanned):
        yield _make_invalid(
            "not-planned", f"a verdict on {name} came back, which nobody planned", "run again"
        )
    measured = [verdict for verdict in verdicts if verdict.scenarios]
    differing = {
        "thresholds": {verdict.thresholds_sha256 for verdict in measured},
        "profile": {verdict.profile for verdict in measured},
        "version of ci-gate": {verdict.ci_gate_version for verdict in measured},
        "commit of head": {verdict.git.get("head", "") for verdict in measured},
    }
    for what, values in differing.items():
        if len(values) > 1:
            message = f"the scenarios were measured with more than one {what}"
            yield _make_invalid("mixed-run", message, "run all of them again")


def _find_explained(
    verdicts: Sequence[Verdict], replaced: Sequence[Verdict], occasion: Occasion | None
) -> frozenset[str]:
    """The jobs whose failure is what a verdict of this attempt says."""
    attempt = find_attempt(occasion)
    if any(verdict.blocks and find_attempt(verdict.occasion) == attempt for verdict in verdicts):
        return _MEASURING
    is_of_replaced = any(verdict.blocks for verdict in replaced) and all(
        find_attempt(verdict.occasion) == attempt for verdict in (*replaced, *verdicts)
    )
    return frozenset({_SCENARIO}) if is_of_replaced else frozenset()


def _make_invalid(code: str, message: str, remedy: str) -> Finding:
    return Finding(code=code, severity="invalid", subject="run", message=message, remedy=remedy)


def _note_not_compared(why: str) -> Finding:
    return Finding(
        code=NOTHING_COMPARED,
        severity="info",
        subject="run",
        message=f"nothing was compared with base, only limits were judged: {why}",
        remedy="compare again once base has what head has",
    )
