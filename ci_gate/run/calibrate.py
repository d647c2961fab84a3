"""Base against base: the false-alarm rate of this machine, and what is the smallest change it would see."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from tabulate import tabulate

from ci_gate.errors import BaseError, EvidenceError, OutsideError, ServiceError, UsageError
from ci_gate.evidence.ranges import Version
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD, RunInfo, duet_name, read_recordings, write_json
from ci_gate.judge.compare.duet import NOT_COMPARED, DuetVerdict
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.suggest.tolerances import MIN_ROUNDS, list_scatter, support_scatter, support_tolerances
from ci_gate.judge.verdict import judge
from ci_gate.report.suggestion import write_scatter
from ci_gate.run.base import BaseVersion
from ci_gate.run.pinning import pinned_to
from ci_gate.run.plan import RunOptions, end_run, plan_run
from ci_gate.run.progress import ProgressPrinter
from ci_gate.run.scenarios import run_duet
from ci_gate.run.session import Session, make_folder
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Scenario
from ci_gate.wording import count

ITSELF = "itself"
"""What a comparison of equal versions has as its base."""

CALIBRATION_SCHEMA: Final = 1
HEADERS = ("scenario", "endpoint", "metric", "runs", "false alarms", "standard deviation", "detectable")


class MetricNoise(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparisons of equal versions said of one metric; all but counts are ratios or shares.

    ``alarms_low`` to ``alarms_high`` is the exact 95 % interval of how often a false alarm happens.
    ``standard_deviation`` is of the measured changes, None for one; ``detectable`` is the median of what was.
    """

    scenario: str
    endpoint: str
    metric: str
    runs: int
    false_alarms: int
    alarms_low: float
    alarms_high: float
    standard_deviation: float | None
    detectable: float


class ToleranceAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """A tolerance as thresholds.yaml has it, and the smallest that ``runs`` support; None: too few."""

    scenario: str
    metric: str
    written: float
    supported: float | None
    runs: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """``outcomes`` counts the comparisons by what they came to; ``planned`` is how many there should be.

    ``scatter`` is what two starts of one version differ by, by metric, as thresholds.yaml may say it.
    """

    schema: Version
    planned: int
    outcomes: dict[str, int]
    metrics: tuple[MetricNoise, ...]
    tolerances: tuple[ToleranceAdvice, ...]
    scatter: dict[str, float]


def calibrate(options: RunOptions, runs: int, progress: ProgressPrinter) -> Calibration:
    """Compare the service with itself ``runs`` times per scenario, exactly as a pull request would be.

    If interrupted, ``progress`` says what `summarise_comparisons` says of the rounds so far. Each round is a
    folder in ``options.out`` that can be judged again. Raises UsageError where no scenario has a
    tolerance, OutsideError where nothing could be measured.
    """
    scenarios = tuple(scenario for scenario in options.scenarios if scenario.regression)
    if not scenarios:
        raise UsageError(
            f"{options.thresholds.file}: no regression tolerance, so there is nothing to compare"
        )
    port = options.thresholds.service.fixed_port
    if port is not None:
        raise UsageError(
            f"{options.thresholds.file}: port {port} is all that the service can have: no two fit"
        )
    make_folder(options.out)
    planned = runs * len(scenarios)
    compared: list[tuple[str, DuetVerdict]] = []
    with (
        pinned_to(options.pinning.others),
        Watchdog() as watchdog,
        NeedsAround(watchdog) as needs,
        report_if_interrupted(compared, planned, progress),
    ):
        for number in range(runs):
            once = dataclasses.replace(
                options,
                scenarios=scenarios,
                out=options.out / f"{number + 1:03d}",
                base=ITSELF,
                seed=options.seed + number,
            )
            info = _measure_round(once, watchdog, needs, progress)
            compared += judge_round(once, info, progress)
    progress.finish()
    if not compared:
        raise OutsideError("no comparison could be measured; what stopped each is printed above")
    return count_comparisons(compared, planned, scenarios)


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
    """What `render_calibration` makes of `count_comparisons`."""
    return render_calibration(count_comparisons(compared, planned, scenarios))


def count_comparisons(
    compared: Sequence[tuple[str, DuetVerdict]], planned: int, scenarios: Iterable[Scenario] = ()
) -> Calibration:
    """What the comparisons say, each with its scenario's name, and what they support of ``scenarios``.

    ``planned`` is how many comparisons there should be.
    """
    duets = {name: [duet for of, duet in compared if of == name] for name, _ in compared}
    outcomes = [duet.outcome for _, duet in compared]
    return Calibration(
        schema=CALIBRATION_SCHEMA,
        planned=planned,
        outcomes={outcome.value: outcomes.count(outcome) for outcome in Outcome},
        metrics=tuple(noise for name, of_it in duets.items() for noise in _count(name, of_it)),
        tolerances=tuple(_list_tolerances(scenarios, compared)),
        scatter={each.metric.name: each.size for each in support_scatter(duets)},
    )


def render_calibration(calibration: Calibration) -> str:
    """A table and a count of the comparisons, and what they support.

    Per metric: how many comparisons called equal versions worse, with the exact 95 % interval of how often
    that happens; the standard deviation of the measured change; and the median of what was detectable. A
    line says what two starts differ by, and one for each tolerance what it could be.
    """
    rows = [
        (
            each.scenario,
            each.endpoint,
            each.metric,
            str(each.runs),
            f"{each.false_alarms} ({each.alarms_low:.0%} to {each.alarms_high:.0%})",
            "-" if each.standard_deviation is None else f"{each.standard_deviation:.1%}",
            f"{each.detectable:.1%}",
        )
        for each in calibration.metrics
    ]
    compared = sum(calibration.outcomes.values())
    counts = ", ".join(f"{number} {outcome}" for outcome, number in calibration.outcomes.items())
    missing = calibration.planned - compared
    unmeasured = f"; {missing} of {calibration.planned} not measured" if missing else ""
    table = tabulate(rows, headers=HEADERS, disable_numparse=True)
    lines = [*_describe_scatter(calibration.scatter), *map(_describe_tolerance, calibration.tolerances)]
    return "\n".join([f"{table}\n", *lines, f"{count(compared, 'comparison')}: {counts}{unmeasured}"])


def _measure_round(
    options: RunOptions, watchdog: Watchdog, needs: NeedsAround, progress: ProgressPrinter
) -> RunInfo:
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
    session = Session(
        options=options, info=info, watchdog=watchdog, needs=needs, progress=progress, base=itself
    )
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


def _count(name: str, verdicts: Sequence[DuetVerdict]) -> Iterator[MetricNoise]:
    for row in list_scatter(verdicts):
        yield MetricNoise(
            scenario=name,
            endpoint=row.endpoint,
            metric=row.metric.name,
            runs=row.rounds,
            false_alarms=row.false_alarms,
            alarms_low=row.alarms_low,
            alarms_high=row.alarms_high,
            standard_deviation=row.deviation,
            detectable=row.detectable,
        )


def _list_tolerances(
    scenarios: Iterable[Scenario], compared: Sequence[tuple[str, DuetVerdict]]
) -> Iterator[ToleranceAdvice]:
    for scenario in scenarios:
        supports = support_tolerances(scenario, [duet for of, duet in compared if of == scenario.name])
        written = {tolerance.metric: tolerance.ratio for tolerance in scenario.regression}
        for support in supports:
            yield ToleranceAdvice(
                scenario=scenario.name,
                metric=support.metric.name,
                written=written[support.metric],
                supported=support.tolerance,
                runs=support.rounds,
            )


def _describe_scatter(scatter: Mapping[str, float]) -> Iterator[str]:
    if scatter:
        written = ", ".join(f"{name}: {write_scatter(size)}" for name, size in scatter.items())
        yield f"what two starts differ by, for thresholds.yaml: compare: {{scatter: {{{written}}}}}"


def _describe_tolerance(advice: ToleranceAdvice) -> str:
    known = f"{advice.scenario}: tolerance of {advice.metric} {advice.written:.0%}"
    if advice.supported is None:
        return f"{known}: {count(MIN_ROUNDS - advice.runs, 'comparison')} more would say what they support"
    return f"{known}: they support {advice.supported:.0%}"
