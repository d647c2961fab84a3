"""What is published: for an event the actions, for a verdict the report. Pure; `publish` does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from ci_gate.errors import EXIT_FAIL, EXIT_PASS, BadInputError, EvidenceError
from ci_gate.github.api.event import Event
from ci_gate.github.key import DEFAULT_KEY
from ci_gate.github.threshold_files import NoThresholdsError, ThresholdFiles
from ci_gate.judge.changes.approval import judge_approval
from ci_gate.judge.changes.rejudge import judge_under_base
from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.judge.gate.lacking import demand_all
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import Verdict, invalidate, mark_invalid
from ci_gate.report.report import Report

Action = Literal["summary", "annotations", "comment", "status"]
CommentWhen = Literal["always", "on-change", "on-failure", "never"]
"""When a comment is made where there is none yet. One that is there is always kept up to date, so that no
older verdict stands; but for ``never``, which leaves it to another job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """What to publish, and where.

    ``verdict_file`` is None in a workflow_run job, whose verdict is in an artifact of the run it follows.
    ``key`` is that gate's: it names the artifact and the comment.
    ``base`` is a checkout of the base side; without it, threshold changes are not looked for. ``review`` is a
    file that `review` wrote of both sides, and takes the place of both checkouts.
    ``scenarios`` are those that the other run measures, all of thresholds.yaml if empty; ``check`` is its
    job that is the check.
    ``only_comment`` leaves all but the comment to another call, which uploads follow: ``page_url`` is where
    they put report.html. ``status`` is the context of the commit status, empty for none; ``author`` is who
    the token comments as, empty to ask GitHub. ``history_workflow`` is the file of the workflow that keeps
    base's history, empty for none.
    """

    thresholds_file: str  # relative to the repository
    verdict_file: Path | None = None
    repository: Path = Path()
    base: Path | None = None
    review: Path | None = None
    comment: CommentWhen = "always"
    only_comment: bool = False
    page_url: str = ""
    scenarios: tuple[str, ...] = ()
    check: str = "gate"
    status: str = ""
    author: str = ""
    key: str = DEFAULT_KEY
    history_workflow: str = "load-history.yml"


def plan_actions(event: Event, options: PublishOptions, *, has_token: bool) -> frozenset[Action]:
    """What to do for an event.

    Annotations belong to the run that measured. Only a pull request can be commented on; only a commit of
    which the event names gets a status.
    """
    actions: set[Action] = set() if options.only_comment else {"summary"}
    if event.finished is None and not options.only_comment:
        actions.add("annotations")
    if has_token and (event.head_sha or event.finished is not None):
        actions |= {"comment"} if options.comment != "never" else set()
        actions |= {"status"} if options.status and not options.only_comment else set()
    return frozenset(actions)


def needs_comment(report: Report, when: CommentWhen) -> bool:
    """Whether a pull request without a comment gets one.

    ``on-change``: something is not as on base, or did not pass: a figure that is really better or worse, a
    setting of thresholds.yaml. ``on-failure``: the check is red.
    """
    if when == "on-change":
        compared = (each.comparison for each in report.verdict.scenarios if each.comparison)
        is_changed = any(change.is_real for comparison in compared for change in comparison.changes)
        return is_changed or bool(report.changes) or report.outcome != Outcome.PASS
    return when == "always" or (when == "on-failure" and exit_code_of(report) != EXIT_PASS)


def make_report(
    verdict: Verdict,
    *,
    base: ThresholdFiles | None,
    head: ThresholdFiles | None,
    labels: tuple[str, ...] | None,
    run_url: str,
    head_sha: str = "",
) -> Report:
    """The verdict beside what the thresholds became. ``labels`` are None where nobody could approve."""
    if base is None or head is None:
        return Report(verdict=verdict, run_url=run_url, head_sha=head_sha)
    changes = compare_thresholds(
        base.thresholds, head.thresholds, old_files=base.digests, new_files=head.digests
    )
    return Report(
        verdict=verdict,
        changes=changes,
        under_base=judge_under_base(verdict, base.thresholds) if changes else (),
        approval=judge_approval(changes, base.thresholds.loosening_label, labels)
        if labels is not None
        else None,
        run_url=run_url,
        head_sha=head_sha,
    )


def try_base(
    verdict: Verdict, read: Callable[[], ThresholdFiles | None]
) -> tuple[Verdict, ThresholdFiles | None]:
    """Base's side, None where it cannot be read, and the verdict, which then says that nothing was reviewed.

    It stays no more than a note: a base that is wrong must not keep anyone from fixing it, and one without
    the file not from adding it, though it may have been moved.
    """
    try:
        return verdict, read()
    except NoThresholdsError:
        why = "base has no such file: it is new, or was moved, or the workflow names another one than before"
    except (BadInputError, EvidenceError) as error:
        why = f"base's file is wrong: {error}"
    finding = Finding(
        code="base-unreadable",
        severity="info",
        subject="thresholds.yaml",
        message=f"what was loosened is not known, for {why}",
        remedy="review every line of head's file, and the workflow that names it",
    )
    return msgspec.structs.replace(verdict, findings=(*verdict.findings, finding)), None


def mark_contradiction(
    verdict: Verdict, head: ThresholdFiles | None, scenarios: Sequence[str] = ()
) -> Verdict:
    """A verdict from elsewhere, INVALID where it lacks what head names or breaks limits that it calls kept.

    ``scenarios`` are those that it was to measure, all if empty.
    """
    if head is None:
        return verdict
    verdict = demand_all(verdict, head.thresholds, scenarios)
    rows = judge_under_base(verdict, head.thresholds)
    lies = [row.scenario for row in rows if (row.base, row.head) == (Outcome.FAIL, Outcome.PASS)]
    if not lies:
        return verdict
    return mark_invalid(
        verdict, f"the figures break limits that the verdict says were kept: {', '.join(lies)}"
    )


def mark_other_base(verdict: Verdict, base_ref: str) -> Verdict:
    """The verdict, INVALID where it is for another branch than ``base_ref``, the pull request's base now.

    An older run can be run again, with the event of its time: on the same commit its check counts as new.
    """
    occasion = verdict.occasion
    if occasion is None or occasion.base_ref in {"", base_ref}:
        return verdict
    finding = Finding(
        code="other-base",
        severity="invalid",
        subject="run",
        message=f"measured for the base branch {occasion.base_ref}, and it is {base_ref} now",
        remedy="close and reopen the pull request: that measures it for its base branch",
    )
    return invalidate(verdict, (finding, *verdict.findings))


def mark_stale(report: Report, check: str, attempt: int) -> Verdict:
    """The verdict of a report beside a check that ended otherwise: never the better of both."""
    verdict = report.verdict
    measured = f" of attempt {verdict.occasion.run_attempt}" if verdict.occasion else ""
    if exit_code_of(report) == EXIT_PASS:
        message = f"stale: the check {check} of attempt {attempt} did not pass, this verdict{measured} does"
        return mark_invalid(verdict, message)
    finding = Finding(
        code="stale",
        severity="info",
        subject="run",
        message=f"stale: the check {check} of attempt {attempt} passed, this verdict{measured} does not",
        remedy="run all jobs again",
    )
    return msgspec.structs.replace(verdict, findings=(finding, *verdict.findings))


def exit_code_of(report: Report) -> int:
    """The check's exit code."""
    return EXIT_FAIL if report.is_unapproved else report.verdict.exit_code
