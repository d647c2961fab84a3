"""One run: starts the service afresh for each scenario, puts the load on, and writes the evidence."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci_gate.errors import BaseError, GateError, ServiceError
from ci_gate.evidence.recording import (
    CODE_HEAD,
    CONFIRM,
    CONFIRMED_LATER,
    DUET_BASE,
    DUET_HEAD,
    HEAD,
    RESET_CHECKS,
    TAKEN,
    RecordingPlan,
    RunInfo,
    duet_name,
    read_recording,
    recording_folder,
    write_json,
)
from ci_gate.judge.compare.interim import MAX_ANALYSES
from ci_gate.judge.trial import find_called, find_not_called
from ci_gate.measure.load_run import Generator, Job, record
from ci_gate.run.base import BaseVersion, open_base
from ci_gate.run.once_more import find_red, find_taker
from ci_gate.run.pinning import pinned_to
from ci_gate.run.plan import RunOptions, end_run, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.session import (
    Session,
    dismiss_workers,
    make_folder,
    set_aside,
    started,
    started_generator,
)
from ci_gate.run.watch import AloneWatch, DuetWatch, ResetCheckWatch, Watch
from ci_gate.run.which_code import sample_code
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Scenario
from ci_gate.wording import count


def run_scenarios(options: RunOptions, progress: ProgressPrinter) -> RunInfo:
    """Measure every scenario in turn; a service that fails one does not stop the others.

    Writes run.json before the first and after the last. An interrupt or a failure of the run itself ends
    everything, is noted in run.json, and goes on up.
    Raises OutsideError where evidence cannot be written, UsageError for an unknown base.
    """
    info = plan_run(options)
    make_folder(options.out)
    write_json(options.out / "run.json", info)
    failures: dict[str, str] = {}
    ended_by: BaseException | None = None
    try:
        with open_session(options, info, progress) as session:
            for scenario in options.scenarios:
                _run_scenario(session, scenario, failures)
    except BaseException as error:
        ended_by = error
        raise
    finally:
        progress.finish()
        info = end_run(info, failures, ended_by)
        write_json(options.out / "run.json", info)
    return info


@contextlib.contextmanager
def open_session(options: RunOptions, info: RunInfo, progress: ProgressPrinter) -> Iterator[Session]:
    """What every measurement of the run ``info`` shares. Leaving it ends all that was started."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(pinned_to(options.pinning.others))
        watchdog = stack.enter_context(Watchdog())
        needs = stack.enter_context(NeedsAround(watchdog))
        base = _open_base(stack, options, watchdog)
        session = Session(
            options=options, info=info, watchdog=watchdog, needs=needs, progress=progress, base=base
        )
        stack.callback(dismiss_workers, session)
        yield session


def _open_base(
    stack: contextlib.ExitStack, options: RunOptions, watchdog: Watchdog
) -> BaseVersion | BaseError | None:
    """None where none is asked for. A base that cannot be made is no reason not to judge head."""
    if not options.base:
        return None
    try:
        return stack.enter_context(
            open_base(options.base, options.thresholds, options.repository, options.environ, watchdog)
        )
    except BaseError as error:
        return error


def _run_scenario(session: Session, scenario: Scenario, failures: dict[str, str]) -> None:
    plans = session.plans_of(scenario)
    try:
        _run_reset_checks(session, scenario, [plans[trial] for trial in RESET_CHECKS if trial in plans])
        _warn_of_names(session, scenario, plans.get(RESET_CHECKS[0]))
        ended_early = _run_alone(session, scenario, plans[HEAD])
        if session.base and DUET_HEAD in plans:
            base = _require_base(session.base, ended_early)
            run_duet(session, scenario, base, (plans[DUET_BASE], plans[DUET_HEAD]))
            follow_red(session, scenario, base, plans, failures)
        elif session.options.profiles_code:
            options = session.options
            start = functools.partial(
                started, session, options.thresholds.service, options.repository, "head"
            )
            sample_code(session, scenario, plans, start, failures)
    except BaseError as error:
        failures[duet_name(scenario.name)] = str(error)
        session.progress.say(str(error))
    except ServiceError as error:
        failures[scenario.name] = str(error)
        session.progress.say(str(error))
    except GateError as error:
        failures[scenario.name] = str(error)
        raise


def _require_base(base: BaseVersion | BaseError, ended_early: str | None) -> BaseVersion:
    """Base, to be compared with. Raises BaseError where that cannot be, or where no comparison helps head."""
    if isinstance(base, BaseError):
        raise base
    if ended_early:
        raise BaseError(f"not compared with base, for the load on head alone was ended early: {ended_early}")
    return base


def _run_reset_checks(session: Session, scenario: Scenario, plans: list[RecordingPlan]) -> None:
    """The first trial to its end, the second until it can find nothing any more."""
    options = session.options
    first: Path | None = None
    for plan in plans:
        with started(session, options.thresholds.service, options.repository, "head", plan) as load:
            watch = ResetCheckWatch(scenario, first, load[0].folder)
            record((load,), on_poll=watch.check)
            first = load[0].folder


def _warn_of_names(session: Session, scenario: Scenario, plan: RecordingPlan | None) -> None:
    """Within seconds, and not after the load: a rare or late task may still call them."""
    if plan:
        recording = read_recording(recording_folder(session.options.out, plan), for_diagnosis=False)
        for line in find_not_called(scenario, find_called(recording)):
            session.progress.say(f"{scenario.name}: before the load {line}")


def _run_alone(session: Session, scenario: Scenario, plan: RecordingPlan) -> str | None:
    """Why head cannot end well any more, where its load was ended early; else None.

    Where others had so much of the machine that no limit can be judged, head is measured once more.
    """
    ended_early = _record_alone(session, scenario, plan)
    folder = recording_folder(session.options.out, plan)
    if why := find_taker(folder, scenario, plan):
        session.progress.say(f"  {why}: head is measured once more")
        set_aside(session, folder, TAKEN)
        return _record_alone(session, scenario, plan)
    return ended_early


def _record_alone(session: Session, scenario: Scenario, plan: RecordingPlan) -> str | None:
    ramp_s = scenario.user_count / scenario.spawn_rate + scenario.ramp_s
    shape = plan.shape
    users = count(plan.user_count, "user")
    users = f"{shape.name}, up to {users}" if shape else users
    what = f"{scenario.name}: {users}"
    session.progress.start(what, ramp_s + plan.warmup_s + plan.duration_s)
    options = session.options
    with started(session, options.thresholds.service, options.repository, "head", plan) as load:
        warns = RESET_CHECKS[0] not in session.plans_of(scenario)
        watch = AloneWatch(session.progress, scenario, load[0], warns=warns)
        ended_early = record((load,), on_second=watch.check) or watch.find_end()
    _announce(session, ended_early)
    return ended_early


def record_step(session: Session, scenario: Scenario, job: Job) -> None:
    """Record one job to its end, by a generator of its own, and show how it goes."""
    with started_generator(session, job.plan) as generator:
        record(((job, generator),), on_second=Watch(session.progress, scenario, job).check)


def follow_red(
    session: Session,
    scenario: Scenario,
    base: BaseVersion,
    plans: Mapping[str, RecordingPlan],
    failures: dict[str, str],
) -> None:
    """Where head would be blocked: both sides once more, and which code it is. Green runs pay for neither."""
    options, settings = session.options, session.options.thresholds.compare_scenario
    find = functools.partial(find_red, options.out, scenario, settings, plans, failures)
    is_confirmed, wanted = CONFIRM[0] in plans, options.profiles_code
    samples = CODE_HEAD in plans and wanted is not False
    red = find() if is_confirmed or (samples and wanted is None) else None
    if red and is_confirmed and options.confirms_later:
        failures[duet_name(scenario.name, is_second=True)] = CONFIRMED_LATER
        red = None  # which code it is, is looked for where it is confirmed
    elif red and is_confirmed:
        start_again(session, scenario, base, plans, failures, red.duration_s)
        red = find() if samples and wanted is None else None
    if wanted or (samples and red):
        sample_code(session, scenario, plans, functools.partial(started_side, session, base), failures)


def start_again(
    session: Session,
    scenario: Scenario,
    base: BaseVersion | BaseError,
    plans: Mapping[str, RecordingPlan],
    failures: dict[str, str],
    lasts_s: float,
) -> None:
    """Both sides, for as long as the first start took.

    A second start that does not come about takes nothing back, so it fails nothing else.
    """
    session.progress.say("  head is worse than base allows: both are started and compared once more")
    try:
        base = _require_base(base, None)
        run_duet(session, scenario, base, (plans[CONFIRM[0]], plans[CONFIRM[1]]), lasts_s)
    except (BaseError, ServiceError) as error:
        failures[duet_name(scenario.name, is_second=True)] = str(error)
        session.progress.say(str(error))


def run_duet(
    session: Session,
    scenario: Scenario,
    base: BaseVersion,
    plans: tuple[RecordingPlan, RecordingPlan],
    only_s: float | None = None,
) -> None:
    """Load base and head at the same time until the comparison is decided or its budget is used up.

    With ``only_s`` there is one analysis, after so long, unless a shape says how long the load takes.
    """
    settings = session.options.thresholds.compare_scenario
    if only_s is not None:
        settings = dataclasses.replace(settings, max_duration_s=only_s)
    session.progress.start(f"{scenario.name}: head against {base.name}", settings.max_duration_s)
    with contextlib.ExitStack() as stack:
        in_order = sorted(plans, key=lambda plan: not plan.service_first)
        loads = [stack.enter_context(started_side(session, base, plan)) for plan in in_order]
        base_job, head_job = sorted((job for job, _ in loads), key=lambda job: _is_of_head(job.plan))
        analyses = MAX_ANALYSES if only_s is None else 1
        watch = DuetWatch(session.progress, scenario, (base_job, head_job), settings, analyses)
        loads.sort(key=lambda load: not load[0].plan.load_first)
        _announce(session, record(tuple(loads), on_second=watch.check))


@contextlib.contextmanager
def started_side(session: Session, base: BaseVersion, plan: RecordingPlan) -> Iterator[tuple[Job, Generator]]:
    """One side of a duet. Raises BaseError where it is base that does not start."""
    options = session.options
    with contextlib.ExitStack() as stack:
        if _is_of_head(plan):
            starting = started(session, options.thresholds.service, options.repository, "head", plan)
        else:
            starting = started(session, base.service, base.repository, "base", plan, base.environ)
        try:
            load = stack.enter_context(starting)
        except GateError as error:
            if _is_of_head(plan):
                raise
            raise BaseError(f"base did not start: {error}") from error
        yield load


def _is_of_head(plan: RecordingPlan) -> bool:
    return plan.recording in {DUET_HEAD, CONFIRM[1], CODE_HEAD}


def _announce(session: Session, ended_early: str | None) -> None:
    if ended_early:
        session.progress.say(f"  the load was ended early: {ended_early}")
