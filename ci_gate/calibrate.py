"""Base against base: how often this machine would cry wolf, and what is the smallest change it would see."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

from tabulate import tabulate

from ci_gate.base import BaseVersion
from ci_gate.errors import BaseError, ServiceError
from ci_gate.evidence import DUET_BASE, DUET_HEAD, read_recordings, write_json
from ci_gate.judge.comparison import Change
from ci_gate.judge.duet import DuetVerdict, judge_duet
from ci_gate.plan import RunRequest, plan_run
from ci_gate.progress import ProgressPrinter
from ci_gate.run import Session, make_folder, run_duet
from ci_gate.thresholds import Scenario
from ci_gate.watchdog import Watchdog

HEADERS = ("scenario", "endpoint", "metric", "runs", "false alarms", "standard deviation", "could see")


def calibrate(request: RunRequest, runs: int, progress: ProgressPrinter) -> str:
    """Compare the service with itself ``runs`` times per scenario, exactly as a pull request would be.

    Returns a table: per metric the comparisons that called equal versions worse, the standard deviation of
    the measured change, and the median of what each could have seen. Evidence stays in ``request.out``.
    """
    make_folder(request.out)
    seen: dict[str, list[DuetVerdict]] = {}
    with Watchdog() as watchdog:
        for number in range(runs):
            once = dataclasses.replace(
                request, out=request.out / f"{number + 1:03d}", base="itself", seed=request.seed + number
            )
            for scenario in request.scenarios:
                if scenario.regression:
                    try:
                        verdict = _compare_with_itself(once, scenario, watchdog, progress)
                    except (BaseError, ServiceError) as error:
                        progress.say(str(error))  # the comparisons so far are worth keeping
                    else:
                        seen.setdefault(scenario.name, []).append(verdict)
    progress.finish()
    rows = [row for name, verdicts in seen.items() for row in _summarise(name, verdicts)]
    outcomes = [verdict.outcome for verdicts in seen.values() for verdict in verdicts]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("pass", "inconclusive", "fail"))
    return (
        f"{tabulate(rows, headers=HEADERS, disable_numparse=True)}\n\n{len(outcomes)} comparisons: {counts}"
    )


def _compare_with_itself(
    request: RunRequest, scenario: Scenario, watchdog: Watchdog, progress: ProgressPrinter
) -> DuetVerdict:
    info = plan_run(dataclasses.replace(request, scenarios=(scenario,)))
    folder = request.out
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "run.json", info)
    itself = BaseVersion(name="itself", service=request.thresholds.service, repository=request.repository)
    session = Session(request=request, info=info, watchdog=watchdog, progress=progress, base=itself)
    planned = session.plans_of(scenario)
    plans = planned[DUET_BASE], planned[DUET_HEAD]
    run_duet(session, scenario, itself, plans)
    found = read_recordings(folder, info)
    recordings = found[scenario.name, DUET_BASE], found[scenario.name, DUET_HEAD]
    return judge_duet(scenario, request.thresholds.compare_scenario, plans, recordings)


def _summarise(name: str, verdicts: Sequence[DuetVerdict]) -> list[tuple[str, ...]]:
    changes: dict[tuple[str, str], list[Change]] = {}
    for verdict in verdicts:
        for change in verdict.changes:
            changes.setdefault((change.endpoint, change.metric), []).append(change)
    return [
        (
            name,
            endpoint,
            metric,
            str(len(found)),
            str(sum(change.outcome == "fail" for change in found)),
            f"{statistics.stdev(change.change for change in found):.1%}" if len(found) > 1 else "-",
            f"{statistics.median(change.mde for change in found):.1%}",
        )
        for (endpoint, metric), found in changes.items()
    ]
