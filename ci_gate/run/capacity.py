"""Steps the load of one scenario up on one service, and writes each step's evidence."""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import msgspec

from ci_gate.errors import UsageError
from ci_gate.evidence.recording import (
    STEP,
    RecordingPlan,
    RunInfo,
    recording_folder,
    write_json,
)
from ci_gate.evidence.workload import share_by_weight
from ci_gate.judge.capacity.load_step import Step, judge_step
from ci_gate.judge.capacity.stepping import Climb, NextStep, choose_next
from ci_gate.measure.load_run import Job
from ci_gate.report.capacity import describe_load, describe_step
from ci_gate.run.classified import read_classified
from ci_gate.run.plan import RunOptions, end_run, plan_recording, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import record_step
from ci_gate.run.session import Session, make_folder, started_service
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Scenario, UserCount
from ci_gate.thresholds.overrides import share_users

_RAMP_S: Final = 10.0  # of the users that stand in place of a shape
_SPAN: Final = 8
"""Without a word about it, the climb is from an eighth of the scenario's load to eight times as much."""


def hold_steady(options: RunOptions) -> RunOptions:
    """The options with steady users in place of the shape of their one scenario, if it has one.

    As many as the shape asks for at most, shared among the classes as Locust shares them: a step shows what a
    load does that stays as it is. Raises UsageError where that number is not known.
    """
    (scenario,) = options.scenarios
    workload = options.workloads[scenario.locust]
    if not scenario.locust.shape:
        return options
    shape = workload.shape
    if shape is None or shape.error or not shape.users:
        raise UsageError(
            f"{scenario.name}: how many users shape {scenario.locust.shape} asks for is not known before it "
            "runs: there is no load to begin from"
        )
    users = max(shape.users, len(workload.classes))
    shares = share_by_weight(workload.classes, users)
    steady = dataclasses.replace(
        scenario,
        locust=dataclasses.replace(scenario.locust, shape=None),
        users=tuple(UserCount(user_class=name, count=n, at=scenario.at) for name, n in shares.items()),
        spawn_rate=max(users / _RAMP_S, 1.0),
    )
    others = (each for each in options.thresholds.scenarios if each.name != scenario.name)
    return dataclasses.replace(
        options,
        thresholds=dataclasses.replace(options.thresholds, scenarios=(steady, *others)),
        scenarios=(steady,),
        workloads={**options.workloads, steady.locust: msgspec.structs.replace(workload, shape=None)},
    )


def plan_climb(
    scenario: Scenario,
    *,
    lowest: int | None,
    highest: int | None,
    growth: float,
    duration_s: float,
    processes: int = 1,
) -> Climb:
    """The loads to try, in users or arrivals per second. Raises UsageError for a climb that cannot be."""
    if processes != 1:
        raise UsageError(
            "capacity is measured by one process of Locust, and thresholds.yaml asks for more under "
            "'generator': what each step shows would be of another load; remove it to measure capacity"
        )
    is_open = scenario.arrivals_per_s is not None
    usual = scenario.arrivals_per_s or scenario.user_count
    least = 1 if is_open else len(scenario.users)
    lowest = max(least, math.ceil(usual / _SPAN)) if lowest is None else lowest
    highest = max(lowest + 1, math.ceil(usual * _SPAN)) if highest is None else highest
    if lowest < least:
        raise UsageError(f"{scenario.name} has {least} user classes: --from must be at least {least}")
    if highest <= lowest:
        raise UsageError(f"--to {highest} must be more than --from {lowest}")
    return Climb(lowest=lowest, highest=highest, least=least, growth=growth, duration_s=duration_s)


def measure_capacity(options: RunOptions, climb: Climb, progress: ProgressPrinter) -> None:
    """Measure the one scenario of the options step by step, until `choose_next` has nothing left to learn.

    The service is started and reset once, as it would meet a rising load. run.json names each step before it
    begins, so that whatever ends this, what was measured can be judged. Raises ServiceError where the service
    does not start, OutsideError where evidence cannot be written.
    """
    make_folder(options.out)
    info = msgspec.structs.replace(plan_run(options), recordings=())
    ladder = _Ladder(options, info, progress)
    ladder.write_info()
    ended_by: BaseException | None = None
    try:
        ladder.climb(climb)
    except BaseException as error:
        ended_by = error
        raise
    finally:
        progress.finish()
        ladder.info = end_run(ladder.info, {}, ended_by)
        ladder.write_info()


class _Ladder:
    """The steps so far, and the run.json that says what they are."""

    def __init__(self, options: RunOptions, info: RunInfo, progress: ProgressPrinter) -> None:
        self.info = info
        self._options = options
        self._scenario = options.scenarios[0]
        self._progress = progress
        self._steps: list[Step] = []

    def write_info(self) -> None:
        write_json(self._options.out / "run.json", self.info)

    def climb(self, climb: Climb) -> None:
        options, upcoming = self._options, choose_next((), climb)
        if upcoming is None:
            return
        with Watchdog() as watchdog, NeedsAround(watchdog) as needs:
            session = Session(
                options=options,
                info=self.info,
                watchdog=watchdog,
                needs=needs,
                progress=self._progress,
                base=None,
            )
            first = self._plan(upcoming)
            with started_service(
                session, options.thresholds.service, options.repository, "head", first
            ) as job:
                while upcoming:
                    self._measure(session, job, upcoming)
                    upcoming = choose_next(self._steps, climb)

    def _measure(self, session: Session, job: Job, upcoming: NextStep) -> None:
        plan = self._plan(upcoming)
        self.info = msgspec.structs.replace(self.info, recordings=(*self.info.recordings, plan))
        self.write_info()
        load = describe_load(upcoming.load, is_open=plan.arrivals_per_s is not None)
        ramp_s = sum(plan.users.values()) / plan.spawn_rate + plan.ramp_s
        what = f"{plan.scenario}: step {len(self._steps) + 1}, {load} ({upcoming.why})"
        self._progress.start(what, ramp_s + plan.warmup_s + plan.duration_s)
        folder = recording_folder(self._options.out, plan)
        record_step(session, self._scenario, dataclasses.replace(job, plan=plan, folder=folder))
        scenario = self._scenario
        classified = read_classified(folder, scenario)
        step = judge_step(scenario, plan, classified)
        self._progress.say(f"  {describe_step(step)}")
        self._steps.append(step)

    def _plan(self, upcoming: NextStep) -> RecordingPlan:
        """The scenario at another load, with as long a ramp as its own, or a shorter one."""
        scenario, options = self._scenario, self._options
        factor = upcoming.load / (scenario.arrivals_per_s or scenario.user_count)
        more = max(factor, 1.0)
        total = upcoming.load if scenario.arrivals_per_s is None else math.ceil(scenario.user_count * more)
        counts = share_users(scenario, total)
        scaled = dataclasses.replace(
            scenario,
            users=tuple(dataclasses.replace(user, count=counts[user.user_class]) for user in scenario.users),
            spawn_rate=scenario.spawn_rate * more,
            arrivals_per_s=None if scenario.arrivals_per_s is None else float(upcoming.load),
        )
        number = len(self._steps) + 1
        profile = dataclasses.replace(options.profile, duration_s=upcoming.duration_s)
        workload = options.workloads[scenario.locust]
        plan = plan_recording(scaled, profile, workload, options.seed + number)
        return msgspec.structs.replace(plan, recording=STEP.format(number), planned_users=scenario.user_count)
