"""The second start of a comparison that would block, by another job than the one that made the first."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Final

import msgspec

from ci_gate.errors import BaseError, EvidenceError, UsageError
from ci_gate.evidence.recording import (
    CODE_BASE,
    CODE_HEAD,
    CONFIRM,
    CONFIRMED_LATER,
    DUET_BASE,
    DUET_HEAD,
    RecordingPlan,
    RunInfo,
    duet_name,
    read_run,
    recording_folder,
    write_json,
)
from ci_gate.run.once_more import find_red
from ci_gate.run.plan import RunOptions, end_run, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import open_session, start_again, started_side
from ci_gate.run.session import Session
from ci_gate.run.which_code import sample_code
from ci_gate.thresholds import Scenario

_COMPARISON: Final = (DUET_BASE, DUET_HEAD, *CONFIRM)
_CODE: Final = (CODE_BASE, CODE_HEAD)


def confirm_red(options: RunOptions, progress: ProgressPrinter) -> None:
    """Start base and head of one scenario once more, beside the evidence of their first start at ``out``.

    They are started in the opposite order, and loaded for as long as the first start took; where both starts
    together still are red, once more after it, to see which code it is. The first was made with
    ``confirms_later``, by another job, so it is data: it has to be of the same run as ``options``.
    Raises EvidenceError where it is not, UsageError where there is nothing to confirm.
    """
    info = read_run(options.out)
    scenario, *others = options.scenarios
    if others:
        raise UsageError("one scenario is confirmed at a time: name it")
    second = duet_name(scenario.name, is_second=True)
    plans = _check_same_run(options, info)
    if info.failures.get(second) != CONFIRMED_LATER:
        raise UsageError(f"nothing of {scenario.name} is left to be confirmed")
    of_second = [plans[name] for name in (*CONFIRM, *_CODE) if name in plans]
    if any(recording_folder(options.out, plan).exists() for plan in of_second):
        raise EvidenceError(f"{options.out}: its second start is there already")
    failures = {name: why for name, why in info.failures.items() if name != second}
    settings = options.thresholds.compare_scenario
    red = find_red(options.out, scenario, settings, plans, failures)
    if red is None:
        raise UsageError(f"the comparison of {scenario.name} does not block")
    ended_by: BaseException | None = None
    try:
        with open_session(options, info, progress) as session:
            assert session.base is not None  # noqa: S101 - there are plans of a comparison
            start_again(session, scenario, session.base, plans, failures, red.duration_s)
            _sample_red(session, scenario, plans, failures)
    except BaseException as error:
        ended_by = error
        raise
    finally:
        progress.finish()
        ended = end_run(info, failures, ended_by)
        write_json(options.out / "run.json", msgspec.structs.replace(ended, ended_at=info.ended_at))


def _sample_red(
    session: Session, scenario: Scenario, plans: Mapping[str, RecordingPlan], failures: dict[str, str]
) -> None:
    """Which code, where both starts are there and would block."""
    is_planned = {*_CODE} <= {*plans} and session.options.profiles_code is not False
    if not is_planned or isinstance(session.base, BaseError) or session.base is None:
        return
    if duet_name(scenario.name, is_second=True) in failures:
        return  # nobody has confirmed it
    settings = session.options.thresholds.compare_scenario
    if find_red(session.options.out, scenario, settings, plans, failures):
        start = functools.partial(started_side, session, session.base)
        sample_code(session, scenario, plans, start, failures)


def _check_same_run(options: RunOptions, info: RunInfo) -> dict[str, RecordingPlan]:
    """The plans of the comparison, by recording, as they are made anew from the seed of the first start.

    Raises EvidenceError where run.json says anything else: head's code ran where it was written.
    """
    name = options.scenarios[0].name
    seed = next((plan.seed for plan in info.recordings if plan.recording == DUET_BASE), 0)
    ours = plan_run(dataclasses.replace(options, seed=seed))
    plans, others = (
        {
            plan.recording: plan
            for plan in run.recordings
            if plan.scenario == name and plan.recording in {*_COMPARISON, *_CODE}
        }
        for run in (ours, info)
    )
    differing = [
        what
        for what, of_ours, of_theirs in (
            ("thresholds.yaml", ours.thresholds_text, info.thresholds_text),
            ("profile", ours.profile, info.profile),
            ("version of ci-gate", ours.ci_gate_version, info.ci_gate_version),
            ("commit", ours.git, info.git),
            ("options", ours.options, info.options),
            ("plan", _unpin(plans), _unpin(others)),
        )
        if of_ours != of_theirs
    ]
    if differing or not {*_COMPARISON} <= {*plans}:
        raise EvidenceError(
            f"the first start is of another run: it differs in {', '.join(differing) or 'all'}"
        )
    return plans


def _unpin(plans: Mapping[str, RecordingPlan]) -> dict[str, RecordingPlan]:
    """Where the processes of Locust run is for each machine to say."""
    return {
        name: msgspec.structs.replace(plan, worker_cpus=(), other_cpus=()) for name, plan in plans.items()
    }
