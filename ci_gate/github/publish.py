"""Says the verdict where people look: summary, annotations, the one comment, a commit status.

A job that measured publishes its own verdict, and its exit code is the check's. A workflow_run job publishes
the verdict of another run, maybe a fork's, of which it believes nothing but the figures.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TextIO

import ci_gate
from ci_gate.errors import EXIT_PASS, BadInputError, EvidenceError, UsageError
from ci_gate.github.api.comments import find_author, make_marker, upsert_comment
from ci_gate.github.api.event import Event, read_event
from ci_gate.github.api.pulls import NoPullRequest, PullRequest, get_pull
from ci_gate.github.api.reply import GitHubError, RefusedError
from ci_gate.github.api.statuses import Status, set_status
from ci_gate.github.api.transport import Transport
from ci_gate.github.earlier_history import HistoryPlace, try_history
from ci_gate.github.other_run import OtherRun
from ci_gate.github.problems import list_problems
from ci_gate.github.publication import (
    Action,
    PublishOptions,
    exit_code_of,
    make_report,
    mark_other_base,
    needs_comment,
    plan_actions,
    try_base,
)
from ci_gate.github.review import (
    MAX_REVIEW_BYTES,
    Review,
    decode_review,
    read_reviewed_base,
    read_reviewed_head,
)
from ci_gate.github.threshold_files import ThresholdFiles, demand_side, read_side
from ci_gate.judge.gate.lacking import demand_all, list_measured
from ci_gate.judge.gate.mistakes import add_mistakes, make_empty_verdict
from ci_gate.judge.history.worse import judge_history
from ci_gate.judge.verdict import MAX_VERDICT_BYTES, Verdict, decode_verdict
from ci_gate.report.annotations import clean_log_line, render_annotations
from ci_gate.report.comment import (
    MAX_COMMENT_BYTES,
    MAX_SUMMARY_BYTES,
    render_report,
)
from ci_gate.report.files import REPORT_FILE, read_bounded, read_timeline
from ci_gate.report.headline import summarise_in_a_sentence
from ci_gate.report.history import render_trend_line
from ci_gate.report.html.report import render_html
from ci_gate.report.output import write_command
from ci_gate.report.report import Report

_MAX_EVENT_BYTES: Final = 32 * 1024**2


def publish(
    options: PublishOptions, *, environ: Mapping[str, str], transport: Transport | None, out: TextIO
) -> int:
    """Publish, and return the exit code: of the check, or 0 for another run's verdict.

    ``transport`` is None without a token. Raises UsageError, EvidenceError, BadInputError, and for another
    run's verdict GitHubError.
    """
    event = read_event(environ, _read_payload(environ))
    edge = _Edge(options=options, event=event, environ=environ, transport=transport, out=out)
    return edge.publish_other_run() if event.name == "workflow_run" else edge.publish_own_run()


@dataclass(frozen=True, kw_only=True)  # without slots: it keeps the review that it has read
class _Edge:
    """Reads, asks and writes; what it decides is decided by the functions above."""

    options: PublishOptions
    event: Event
    environ: Mapping[str, str]
    transport: Transport | None
    out: TextIO

    def publish_own_run(self) -> int:
        verdict, head = self._read_own_verdict()
        actions = plan_actions(self.event, self.options, has_token=self.transport is not None)
        pull = self._get_pull()
        verdict = mark_other_base(verdict, pull.base.ref) if pull is not None else verdict
        verdict, base = try_base(verdict, self._read_base)
        report = make_report(
            verdict,
            base=base,
            head=head,
            labels=self._labels(pull),
            run_url=self.event.run_url,
            head_sha=self.event.head_sha,
        )
        report = replace(report, page_url=self.options.page_url)
        report = self._add_history(report, pull)
        if "summary" in actions:
            self._write_files(report)
        for line in render_annotations(report) if "annotations" in actions else ():
            write_command(self.out, line)
        if pull is not None and pull.head.sha == self.event.head_sha:
            self._say_on_github(report, pull, actions)
        elif pull is not None and "comment" in actions:
            self._say(f"no comment: the pull request has moved on to {pull.head.sha[:12]}")
        self._say(summarise_in_a_sentence(report))
        return EXIT_PASS if self.options.only_comment else exit_code_of(report)

    def _read_own_verdict(self) -> tuple[Verdict, ThresholdFiles | None]:
        """With head's thresholds, None where there are none that can be read: then it is INVALID."""
        file = self.options.thresholds_file
        try:
            head = self._read_head()
        except (BadInputError, EvidenceError) as error:
            path = self.options.verdict_file
            verdict = make_empty_verdict(file, ci_gate.__version__)
            if path is not None and path.exists():
                verdict = decode_verdict(_read_verdict(path))
            return add_mistakes(verdict, list_problems(error, file)), None
        verdict = decode_verdict(_read_verdict(self.options.verdict_file))
        if head is None or not verdict.scenarios:
            return verdict, head
        return demand_all(verdict, head.thresholds, list_measured(verdict)), head

    def _write_files(self, report: Report) -> None:
        if self.options.verdict_file is not None:
            self._write_reports(report, self.options.verdict_file.parent)
        self._write_summary(report)
        self._write_outputs(report)

    def _write_reports(self, report: Report, folder: Path) -> None:
        (folder / "report.md").write_text(render_report(report, MAX_SUMMARY_BYTES), encoding="utf-8")
        try:
            timeline = read_timeline(folder)
        except EvidenceError as error:
            self._say(f"{REPORT_FILE} has no charts: {error}")
            timeline = None
        (folder / REPORT_FILE).write_text(render_html(report, timeline), encoding="utf-8")

    def publish_other_run(self) -> int:
        run, transport = self.event.finished, self.transport
        if run is None or transport is None:
            raise UsageError("a workflow_run job needs its event's payload and GITHUB_TOKEN")
        if run.event not in {"pull_request", "pull_request_target"}:
            self._say(f"nothing to comment on: the run was for {run.event}")
            return EXIT_PASS
        if run.conclusion == "action_required":
            self._say("nothing to comment on: the run waits for somebody to approve it")
            return EXIT_PASS
        other = OtherRun(
            options=self.options,
            run=run,
            repository=self.event.repository,
            transport=transport,
            say=self._say,
        )
        found = other.find_report()
        if isinstance(found, NoPullRequest):
            self._say(f"nothing to comment on: {found.why}")
            return EXIT_PASS
        pull, report = found
        report = self._add_history(report, pull)
        self._write_summary(report)
        actions = plan_actions(self.event, self.options, has_token=True)
        failures = self._say_on_github(report, pull, actions)
        if failures:
            raise failures[0]
        self._say(summarise_in_a_sentence(report))
        return EXIT_PASS

    def _add_history(self, report: Report, pull: PullRequest | None) -> Report:
        """The trend of base's branch, and the machines of its last run, where its history is kept."""
        branch = pull.base.ref if pull else ""
        place = HistoryPlace(branch=branch, workflow=self.options.history_workflow, key=self.options.key)
        history = try_history(self.transport, self.event.repository, place, self._say)
        if history is None:
            return report
        trend = render_trend_line(judge_history(history), branch)
        return replace(report, trend=trend, base_environments=history.last_environments)

    def _get_pull(self) -> PullRequest | None:
        if self.transport is None or self.event.pull_number is None:
            return None
        try:
            return get_pull(self.transport, self.event.repository, self.event.pull_number)
        except GitHubError as error:
            self._say(f"the pull request cannot be read: {error}")
            return None

    def _labels(self, pull: PullRequest | None) -> tuple[str, ...] | None:
        if pull is not None:
            return pull.label_names
        is_reviewed = self.event.pull_number is not None or self.event.name == "merge_group"
        return self.event.labels if is_reviewed else None

    @functools.cached_property
    def _review(self) -> Review | None:
        path = self.options.review
        return None if path is None else _read_review(path)

    def _read_head(self) -> ThresholdFiles | None:
        if self._review is not None:
            return read_reviewed_head(self._review)
        return read_side(self.options.repository, self.options.thresholds_file)

    def _read_base(self) -> ThresholdFiles | None:
        if self._review is not None:
            return read_reviewed_base(self._review)
        base = self.options.base
        return None if base is None else demand_side(read_side(base, self.options.thresholds_file))

    def _write_outputs(self, report: Report) -> None:
        if path := self.environ.get("GITHUB_OUTPUT"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"outcome={report.outcome}\n")

    def _write_summary(self, report: Report) -> None:
        if path := self.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(render_report(report, MAX_SUMMARY_BYTES))

    def _say_on_github(
        self, report: Report, pull: PullRequest, actions: frozenset[Action]
    ) -> list[GitHubError]:
        """What failed for another reason than a missing permission."""
        failures: list[GitHubError] = []
        for action, perform in (("comment", self._comment), ("status", self._set_status)):
            if action not in actions:
                continue
            try:
                perform(report, pull)
            except RefusedError as error:
                self._say(f"no {action}, GitHub refuses it ({error}): see the job summary and the artifact")
            except GitHubError as error:
                self._say(f"no {action}: {error}")
                failures.append(error)
        return failures

    def _comment(self, report: Report, pull: PullRequest) -> None:
        if self.transport is None:
            return
        author = self.options.author or find_author(self.transport)
        text = render_report(report, MAX_COMMENT_BYTES)
        marker = make_marker(self.options.key)
        done = upsert_comment(
            self.transport,
            self.event.repository,
            pull.number,
            text,
            marker=marker,
            author=author,
            may_create=needs_comment(report, self.options.comment),
        )
        if done is None:
            self._say(f"no comment: there is nothing to say ({self.options.comment})")
            return
        self._say(f"comment {done.action}: {done.url}")
        if done.author.casefold() != author.casefold():
            self._say(f"the comment's author is {done.author}: name it, or the next run cannot find it")

    def _set_status(self, report: Report, pull: PullRequest) -> None:
        if self.transport is None:
            return
        status = Status(
            context=self.options.status,
            state="success" if exit_code_of(report) == EXIT_PASS else "failure",
            description=summarise_in_a_sentence(report),
            target_url=report.run_url,
        )
        set_status(self.transport, self.event.repository, pull.head.sha, status)
        self._say(f"status {status.context}: {status.state}")

    def _say(self, text: str) -> None:
        self.out.write(clean_log_line(text) + "\n")


def _read_payload(environ: Mapping[str, str]) -> bytes:
    path = environ.get("GITHUB_EVENT_PATH", "")
    return read_bounded(Path(path), _MAX_EVENT_BYTES) if path else b""


def _read_review(path: Path) -> Review:
    if not path.exists():
        raise EvidenceError("both sides' thresholds were not reviewed before head was measured")
    return decode_review(read_bounded(path, MAX_REVIEW_BYTES))


def _read_verdict(path: Path | None) -> bytes:
    if path is None:
        raise UsageError("a job that publishes its own verdict must name the file")
    return read_bounded(path, MAX_VERDICT_BYTES)
