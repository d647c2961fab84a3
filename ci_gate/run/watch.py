"""Follows a load while it is on: shows how it goes, and says when it has shown all that it can."""

from __future__ import annotations

import math
from pathlib import Path

from ci_gate.judge.compare.comparison import settle
from ci_gate.judge.compare.duet import compare_at
from ci_gate.judge.compare.interim import MAX_ANALYSES, InterimAnalysis, plan_interim
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.steady import find_successes
from ci_gate.judge.trial import find_not_called
from ci_gate.judge.validity.lost_limit import NO_SUCCESS_S, LostLimit, find_lost_limit
from ci_gate.judge.validity.reset_check import is_reset_proven
from ci_gate.measure.live import RecordingTail
from ci_gate.measure.load_run import Job
from ci_gate.run.classified import read_classified
from ci_gate.run.progress import ProgressPrinter, describe, describe_pace
from ci_gate.thresholds import Compare, Scenario
from ci_gate.wording import count

# Requests sent before an interim analysis are awaited this long; the verdict is made on all of them.
_SETTLE_S = 2.0
_NAMES_AFTER_S = 5.0


class Watch:
    """Follows one recording, and shows how it goes."""

    def __init__(self, progress: ProgressPrinter, scenario: Scenario, job: Job) -> None:
        self._progress = progress
        self._scenario = scenario
        self._job = job
        self._tail = follow(scenario, job)

    def check(self) -> bool:
        """Show progress; True once the load is of no use any more."""
        self._progress.show(f"{self._scenario.name}: {describe(self._tail.read())}")
        return False


class ResetCheckWatch:
    """Of a trial: it is of no use once it cannot differ any more from ``first``, the one before it, if any.

    So only a reset that leaves something behind takes a second trial of full length.
    """

    def __init__(self, scenario: Scenario, first: Path | None, folder: Path) -> None:
        self._scenario = scenario
        self._folders = (first, folder)

    def check(self) -> bool:
        """True once that is so."""
        folders = [folder for folder in self._folders if folder and (folder / "samples.bin").exists()]
        if len(folders) < len(self._folders):
            return False
        first, second = (read_classified(folder, self._scenario) for folder in folders)
        return is_reset_proven(first, second)


class AloneWatch(Watch):
    """Of head alone: the load is of no use once nothing succeeds and a limit is broken whatever comes.

    ``warns``: nothing before this load has shown which endpoints are called, so that its begin does.
    """

    _lost: LostLimit | None = None
    _failures = 0  # when all was read last: that takes time beside a load, and tells nothing without new ones

    def __init__(self, progress: ProgressPrinter, scenario: Scenario, job: Job, *, warns: bool) -> None:
        super().__init__(progress, scenario, job)
        self._names_due_s = _NAMES_AFTER_S if warns else math.inf

    def check(self) -> bool:
        super().check()
        if self._tail.lasted_s >= self._names_due_s:
            self._names_due_s = math.inf
            for line in find_not_called(self._scenario, self._tail.called):
                self._progress.say(f"  in the first {_NAMES_AFTER_S:.0f} s of load {line}")
        if self._tail.no_success_for_s < NO_SUCCESS_S or self._tail.failures == self._failures:
            return False
        self._failures = self._tail.failures
        head = read_classified(self._job.folder, self._scenario)
        self._lost = find_lost_limit(self._scenario, self._job.plan, head)
        return self._lost is not None

    def find_end(self) -> str | None:
        """Once it is over: why it did not run to its end, None where it did."""
        if self._lost:
            return str(self._lost)
        if self._tail.read().phase != "ended":
            return "its Locust did not end by itself"
        return None if self._tail.is_steady_reached else "its users never got to the steady phase"


def follow(scenario: Scenario, job: Job) -> RecordingTail:
    """How the job goes, counted as the verdict will count."""
    return RecordingTail(job.folder, lambda rows, texts: find_successes(rows, texts, scenario.accept))


class DuetWatch:
    """Follows a duet and ends it at the first interim analysis whose answer is clear, in either direction."""

    def __init__(
        self,
        progress: ProgressPrinter,
        scenario: Scenario,
        jobs: tuple[Job, Job],
        settings: Compare,
        analyses: int = MAX_ANALYSES,
    ) -> None:
        self._progress = progress
        self._scenario = scenario
        self._jobs = jobs
        self._tails = tuple(follow(scenario, job) for job in jobs)
        self._settings = settings
        # A shape is run to its end: what comes late in it is to be compared too.
        is_shaped = jobs[0].plan.shape is not None
        planned = () if is_shaped else plan_interim(self._settings.max_duration_s, analyses)
        self._interim = list(planned)

    def check(self) -> bool:
        """Show progress; True once the comparison is decided."""
        base, head = (tail.read() for tail in self._tails)
        paces = f"base{describe_pace(base)}; head{describe_pace(head)}"
        self._progress.show(f"{self._scenario.name}: {head.phase}, {count(head.users, 'user')} each, {paces}")
        lasted_s = min(tail.steady_for_s for tail in self._tails) - _SETTLE_S
        if not self._interim or lasted_s < self._interim[0].duration_s:
            return False
        return self._decide(self._interim.pop(0))

    def _decide(self, interim: InterimAnalysis) -> bool:
        sides = tuple(read_classified(job.folder, self._scenario).steady for job in self._jobs)
        begin_s = max(side.begin_s for side in sides)
        outcome = settle(compare_at(interim, begin_s, sides, self._scenario, self._settings))
        is_decided = outcome != Outcome.INCONCLUSIVE or interim.is_last
        so_far = "" if is_decided else " so far"
        self._progress.say(f"  after {interim.duration_s:.0f} s: {outcome}{so_far}")
        return is_decided
