"""The verdict of another workflow run, maybe a fork's, of which nothing is believed but the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import ci_gate
from ci_gate.errors import EXIT_PASS, BadInputError, EvidenceError
from ci_gate.github.api.artifacts import download_artifact
from ci_gate.github.api.event import FinishedRun
from ci_gate.github.api.jobs import list_conclusions
from ci_gate.github.api.pulls import NoPullRequest, PullRequest, find_pulls, find_sides, get_pull
from ci_gate.github.api.reply import RefusedError
from ci_gate.github.api.transport import Transport
from ci_gate.github.key import name_artifact
from ci_gate.github.problems import list_problems, missing_file
from ci_gate.github.publication import (
    PublishOptions,
    exit_code_of,
    make_report,
    mark_contradiction,
    mark_other_base,
    mark_stale,
    try_base,
)
from ci_gate.github.threshold_files import ThresholdFiles, demand_side, fetch_side
from ci_gate.judge.gate.mistakes import add_mistakes, make_empty_verdict
from ci_gate.judge.gate.untouched import is_of_untouched, mark_touched
from ci_gate.judge.validity.findings import Finding
from ci_gate.judge.verdict import Verdict, decode_verdict, mark_invalid
from ci_gate.report.files import VERDICT_FILE
from ci_gate.report.report import Report

_ENDINGS: Final = {
    "": "ended",
    "success": "ended well",
    "failure": "failed",
    "cancelled": "was cancelled",
    "timed_out": "ran out of time",
    "startup_failure": "did not start",
    "skipped": "was skipped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRun:
    """The run that ended, where to read it, and ``say``, which prints what goes wrong meanwhile."""

    options: PublishOptions
    run: FinishedRun
    repository: str
    transport: Transport
    say: Callable[[str], None]

    def find_report(self) -> tuple[PullRequest, Report] | NoPullRequest:
        """The pull request that the run was for, and the report for it. Raises GitHubError."""
        pulls = find_pulls(self.transport, self.repository, self.run)
        if isinstance(pulls, NoPullRequest):
            return pulls
        verdict = self._read_verdict()
        pull = self._choose(pulls, verdict)
        if isinstance(pull, NoPullRequest):
            return pull
        return pull, self._judge(pull, verdict)

    def _read_verdict(self) -> Verdict:
        """INVALID where the run left none that can be read: an older comment must not stand."""
        try:
            return self._download_verdict()
        except EvidenceError as error:
            ended = _ENDINGS.get(self.run.conclusion, f"ended as {self.run.conclusion}")
            finding = Finding(
                code="no-verdict",
                severity="invalid",
                subject="run",
                message=f"no verdict for {self.run.head_sha[:12]}: the run {ended}, and {error}",
                remedy="see the log of the run, and run it again",
            )
            return make_empty_verdict(self.options.thresholds_file, ci_gate.__version__, finding)

    def _download_verdict(self) -> Verdict:
        name = name_artifact(self.options.key)
        files = download_artifact(self.transport, self.repository, self.run.run_id, name)
        if VERDICT_FILE not in files:
            raise EvidenceError(f"artifact {name} holds no {VERDICT_FILE}")
        return decode_verdict(files[VERDICT_FILE])

    def _choose(self, pulls: tuple[PullRequest, ...], verdict: Verdict) -> PullRequest | NoPullRequest:
        """Of several pull requests with this head, the one that the run says it was for.

        Its own word only chooses among those that GitHub names.
        """
        number = verdict.occasion.pull_number if verdict.occasion else 0
        found = next((pull for pull in pulls if pull.number == number), None)
        if found is not None:
            return found
        if len(pulls) > 1:
            numbers = " and ".join(f"#{pull.number}" for pull in pulls)
            return NoPullRequest(why=f"{numbers} have this head, and the run does not say for which it was")
        if number and self._is_of_same_branch(number):
            return NoPullRequest(why=f"the run was for #{number}, which is not open")
        return pulls[0]

    def _is_of_same_branch(self, number: int) -> bool:
        try:
            pull = get_pull(self.transport, self.repository, number)
        except RefusedError:
            return False
        return self.run.is_from(pull) and pull.head.ref == self.run.head_branch

    def _judge(self, pull: PullRequest, verdict: Verdict) -> Report:
        base_ref, head_ref = find_sides(self.transport, self.repository, pull)
        file = self.options.thresholds_file
        head: ThresholdFiles | None = None
        try:
            head = fetch_side(self.transport, self.repository, file, head_ref)
            verdict = add_mistakes(verdict, () if head else [missing_file(file)])
        except (BadInputError, EvidenceError) as error:
            verdict = add_mistakes(verdict, list_problems(error, file))
        if verdict.scenarios:
            verdict = mark_contradiction(verdict, head, self.options.scenarios)
        is_untouched = is_of_untouched(verdict)
        if verdict.scenarios or is_untouched:
            verdict = self._check_occasion(verdict, pull)
        verdict, base = try_base(
            verdict, lambda: demand_side(fetch_side(self.transport, self.repository, file, base_ref))
        )
        if is_untouched and (base is None or base != head):
            verdict = mark_touched(verdict)
        report = make_report(
            verdict,
            base=base,
            head=head,
            labels=pull.label_names,
            run_url=self.run.url,
            head_sha=self.run.head_sha,
        )
        return self._compare_with_check(report) if verdict.scenarios or is_untouched else report

    def _check_occasion(self, verdict: Verdict, pull: PullRequest) -> Verdict:
        occasion = verdict.occasion
        if occasion is None:
            return verdict
        if occasion.head_sha != self.run.head_sha:
            measured = occasion.head_sha[:12] or "nothing"
            verdict = mark_invalid(
                verdict, f"the verdict is of {measured}, and not of {self.run.head_sha[:12]}"
            )
        if occasion.pull_number != pull.number:
            verdict = mark_invalid(verdict, f"the verdict is of pull request {occasion.pull_number}")
        return mark_other_base(verdict, pull.base.ref)

    def _compare_with_check(self, report: Report) -> Report:
        """A verdict beside a check that ended otherwise is of an earlier attempt, or of something else."""
        check = self.options.check
        try:
            conclusions = list_conclusions(self.transport, self.repository, self.run, check)
        except RefusedError as error:
            self.say(f"how the job {check} ended cannot be read: {error}")
            return report
        if not conclusions or ({*conclusions} == {"success"}) is (exit_code_of(report) == EXIT_PASS):
            return report
        return replace(report, verdict=mark_stale(report, check, self.run.attempt))
