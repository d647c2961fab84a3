"""Base against base: the false-alarm rate of this machine, and what is the smallest change it would see."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from tabulate import tabulate

from ci_gate.errors import BaseError, EvidenceError, OutsideError, ServiceError, UsageError
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, RunInfo, duet_name, read_recordings, write_json
from ci_gate.judge.compare.duet import NOT_COMPARED, DuetVerdict
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.suggest.tolerances import MIN_ROUNDS, list_scatter, support_tolerances
from ci_gate.judge.verdict import judge
from ci_gate.run.base import BaseVersion
from ci_gate.run.plan import RunOptions, end_run, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import Session, make_folder, run_duet
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.thresholds import Scenario
from ci_gate.wording import count

ITSELF = "itself"
"""What a comparison of equal versions has as its base."""

HEADERS = ("scenario", "endpoint", "metric", "runs", "false alarms", "standard deviation", "detectable")


def calibrate(options: RunOptions, runs: int, progress: ProgressPrinter) -> str:
    """Compare the service with itself ``runs`` times per scenario, exactly as a pull request would be.

    Returns what `summarise_comparisons` says; if interrupted, ``progress`` says it of the rounds so far. Each
    round is a folder in ``options.out`` that can be judged again. Raises UsageError where no scenario has a
    tolerance, OutsideError where nothing could be measured.
    """
    scenarios = tuple(scenario for scenario in options.scenarios if scenario.regression)
    if not scenarios:
        raise UsageError(
            f"{options.thresholds.file}: no regression tolerance, so there is nothing to compare"
        )
    make_folder(options.out)
    planned = runs * len(scenarios)
    compared: list[tuple[str, DuetVerdict]] = []
    with Watchdog() as watchdog, report_if_interrupted(compared, planned, progress):
        for number in range(runs):
            once = dataclasses.replace(
                options,
                scenarios=scenarios,
                out=options.out / f"{number + 1:03d}",
                base=ITSELF,
                seed=options.seed + number,
            )
            info = _measure_round(once, watchdog, progress)
            compared += judge_round(once, info, progress)
    progress.finish()
    if not compared:
        raise OutsideError("no comparison could be measured; what stopped each is printed above")
    return summarise_comparisons(compared, planned, scenarios)


@contextlib.contextmanager
def report_if_interrupted(
    compared: Sequence[tuple[str, DuetVerdict]], planned: int, progress: ProgressPrinter
) -> Iterator[None]:
    """On Ctrl-C, prints the summary of the whole rounds so far: each of them took minutes."""
    try:
        yield
    except KeyboardInterrupt:
        progress.finish()
        if compared:
            progress.say(summarise_comparisons(compared, planned=planned))
        raise


def summarise_comparisons(
    compared: Sequence[tuple[str, DuetVerdict]], planned: int, scenarios: Iterable[Scenario] = ()
) -> str:
    """A table and a count of the comparisons, each with its scenario's name, and what they support.

    Per metric: how many comparisons called equal versions worse, with the exact 95 % interval of how often
    that happens; the standard deviation of the measured change; and the median of what was detectable.
    ``planned`` is how many comparisons there should be. For each of ``scenarios`` a line says what its
    tolerances could be.
    """
    names = dict.fromkeys(name for name, _ in compared)
    rows = [row for name in names for row in _summarise(name, [duet for of, duet in compared if of == name])]
    outcomes = [duet.outcome for _, duet in compared]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in Outcome)
    missing = planned - len(compared)
    unmeasured = f"; {missing} of {planned} not measured" if missing else ""
    table = tabulate(rows, headers=HEADERS, disable_numparse=True)
    lines = [f"{count(len(compared), 'comparison')}: {counts}{unmeasured}"]
    return "\n".join([f"{table}\n", *_list_tolerances(scenarios, compared), *lines])


def _measure_round(options: RunOptions, watchdog: Watchdog, progress: ProgressPrinter) -> RunInfo:
    """One duet of each scenario; a service that fails one does not stop the others."""
    planned = plan_run(options)
    duets = tuple(plan for plan in planned.recordings if plan.recording in {DUET_BASE, DUET_HEAD})
    info = msgspec.structs.replace(planned, recordings=duets)
    options.out.mkdir(parents=True)
    write_json(options.out / "run.json", info)
    itself = BaseVersion(
        name=ITSELF,
        service=options.thresholds.service,
        repository=options.repository,
        environ=options.environ,
    )
    session = Session(options=options, info=info, watchdog=watchdog, progress=progress, base=itself)
    failures: dict[str, str] = {}
    ended_by: BaseException | None = None
    try:
        for scenario in options.scenarios:
            plans = session.plans_of(scenario)
            try:
                run_duet(session, scenario, itself, (plans[DUET_BASE], plans[DUET_HEAD]))
            except (BaseError, ServiceError) as error:  # the comparisons so far are worth keeping
                failures[duet_name(scenario.name)] = str(error)
    except BaseException as error:
        ended_by = error
        raise
    finally:
        info = end_run(info, failures, ended_by)
        write_json(options.out / "run.json", info)
    return info


def judge_round(
    options: RunOptions, info: RunInfo, progress: ProgressPrinter
) -> list[tuple[str, DuetVerdict]]:
    """The comparisons by scenario, as `ci-gate judge` makes them; prints what was not compared."""
    try:
        verdict = judge(options.thresholds, info, read_recordings(options.out, info))
    except EvidenceError as error:
        progress.say(str(error))
        return []
    compared = [(each.name, each.comparison) for each in verdict.scenarios if each.comparison]
    for name, duet in compared:
        for finding in duet.findings:
            progress.say(f"{options.out.name} {name}: {finding.about}: {finding.message}")
    return [each for each in compared if all(found.code != NOT_COMPARED for found in each[1].findings)]


def _summarise(name: str, verdicts: Sequence[DuetVerdict]) -> Iterator[tuple[str, ...]]:
    for row in list_scatter(verdicts):
        alarms = f"{row.false_alarms} ({row.alarms_low:.0%} to {row.alarms_high:.0%})"
        deviation = "-" if row.deviation is None else f"{row.deviation:.1%}"
        yield name, row.endpoint, row.metric.name, str(row.rounds), alarms, deviation, f"{row.detectable:.1%}"


def _list_tolerances(
    scenarios: Iterable[Scenario], compared: Sequence[tuple[str, DuetVerdict]]
) -> Iterator[str]:
    """A line for each tolerance of the file: what the comparisons support of it."""
    for scenario in scenarios:
        supports = support_tolerances(scenario, [duet for of, duet in compared if of == scenario.name])
        written = {tolerance.metric: tolerance.ratio for tolerance in scenario.regression}
        for support in supports:
            known = f"{scenario.name}: tolerance of {support.metric} {written[support.metric]:.0%}"
            if support.tolerance is None:
                missing = count(MIN_ROUNDS - support.rounds, "comparison")
                yield f"{known}: {missing} more would say what they support"
            else:
                yield f"{known}: they support {support.tolerance:.0%}"
