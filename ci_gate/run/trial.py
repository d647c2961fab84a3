"""Starts the service and lets a few users of each class run for a moment: what `ci-gate check --run` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec

from ci_gate.evidence.recording import RESET_CHECKS
from ci_gate.judge.trial import Trial, read_trial
from ci_gate.measure.load_run import record
from ci_gate.run.classified import read_classified
from ci_gate.run.plan import RunOptions, plan_reset_checks, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.session import Session, started
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround


def try_scenarios(options: RunOptions, progress: ProgressPrinter) -> Iterator[Trial]:
    """What each scenario shows, one after the other; nothing of it is kept.

    Raises ServiceError where the service does not get ready, OutsideError where Locust cannot be started.
    """
    info = msgspec.structs.replace(plan_run(options), recordings=())
    with (
        Watchdog() as watchdog,
        NeedsAround(watchdog) as needs,
        watchdog.temporary_folder("ci-gate-trial-") as out,
    ):
        options = dataclasses.replace(options, out=out)
        session = Session(
            options=options, info=info, watchdog=watchdog, needs=needs, progress=progress, base=None
        )
        for scenario in options.scenarios:
            workload = options.workloads[scenario.locust]
            plans = plan_reset_checks(scenario, options.profile, workload, options.seed)
            plan = next(plan for plan in plans if plan.recording == RESET_CHECKS[0])
            progress.say(f"{scenario.name}: {plan.duration_s:.0f} s with a few users")
            service = options.thresholds.service
            with started(session, service, options.repository, "head", plan) as load:
                record((load,))
            folder = load[0].folder
            classified = read_classified(folder, scenario)
            yield read_trial(scenario, options.thresholds.profiles, workload, classified)
