"""Which code: loads head and base once more, after all that is judged, and samples their stacks meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from ci_gate.errors import GateError, OutsideError
from ci_gate.evidence.recording import (
    CODE_BASE,
    CODE_HEAD,
    RecordingPlan,
    code_name,
)
from ci_gate.measure.load_run import Generator, Job, record
from ci_gate.measure.samplers import Sampling, begin_sampling, check_samplers
from ci_gate.measure.stack_sampling import SAMPLING_S
from ci_gate.run.session import Session
from ci_gate.run.watch import follow
from ci_gate.thresholds import Scenario

StartSide = Callable[[RecordingPlan], contextlib.AbstractContextManager[tuple[Job, Generator]]]


class _SamplingWatch:
    """Begins to sample once all sides are in their steady phase, and ends the load after it."""

    def __init__(self, jobs: list[Job], scenario: Scenario, temporary: Path) -> None:
        self._jobs, self._temporary = jobs, temporary
        self._tails = [follow(scenario, job) for job in jobs]
        self._samplings: list[Sampling] = []

    def check(self) -> bool:
        """True once all is sampled. Raises OutsideError where a service cannot be looked into."""
        if self._samplings:
            return all(sampling.is_over() for sampling in self._samplings)
        for tail in self._tails:
            tail.read()
        if all(tail.is_steady_reached for tail in self._tails):
            for job in self._jobs:
                temporary = self._temporary / job.plan.recording
                temporary.mkdir()
                self._samplings.append(begin_sampling(job.service, job.folder, temporary, SAMPLING_S))
        return False

    def keep(self) -> None:
        """Write down what was sampled. Raises OutsideError where that is nothing."""
        if not self._samplings:
            raise OutsideError("the load that is to be sampled under never became steady")
        for sampling in self._samplings:
            sampling.keep()

    def close(self) -> None:
        """End all that still samples."""
        for sampling in self._samplings:
            sampling.close()


def sample_code(
    session: Session,
    scenario: Scenario,
    plans: Mapping[str, RecordingPlan],
    start_side: StartSide,
    failures: dict[str, str],
) -> None:
    """Sample what is planned: both sides under the duet's load, or head alone under all of its own.

    ``plans`` are those of the scenario, by the recording's name. What keeps it from being done
    is noted, and stops nothing.
    """
    sampled = [plan for name, plan in plans.items() if name in {CODE_BASE, CODE_HEAD}]
    try:
        if not sampled:
            raise OutsideError("a service that is only called by its address cannot be looked into")
        check_samplers()
        session.progress.start(f"{scenario.name}: which code", sampled[0].warmup_s + SAMPLING_S)
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(start_side(plan)) for plan in sampled]
            temporary = stack.enter_context(session.watchdog.temporary_folder("ci-gate-stacks-"))
            watch = _SamplingWatch([job for job, _ in loads], scenario, temporary)
            stack.callback(watch.close)
            record(tuple(loads), on_second=watch.check)
            watch.keep()
    except (GateError, OSError) as error:
        failures[code_name(scenario.name)] = str(error)
        session.progress.say(f"  which code is not known: {error}")
