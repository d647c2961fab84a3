"""The evidence folder: the contract between measuring and judging.

One recording is one Locust run against one side of one scenario::

    RUN/run.json                       what was planned, by which thresholds, where
    RUN/<scenario>/<recording>/
        samples.bin strings.jsonl      every request (see samples.py)
        marks.jsonl                    when a phase began: started, spawned, steady, stopping, ended
        readings.jsonl                 the generator once a second: users, CPU, event-loop lag
        machine.jsonl                  host and service once a second: CPU, memory, alive
        probes.jsonl statements.jsonl  servers once a second, and their statements, where probed
        stacks-cpu.json stacks-wall.json  what the code did, where it was sampled (see stacks.py)
        totals.json                    Locust's own totals, to check the samples against
        traces-<process>.jsonl         trace ids of the slowest requests, where the scenario sends them
        locust.log service.log probes.log
        worker-1/ worker-2/ ...        of several processes of Locust, which the above is the master of;
                                       clock.jsonl delivery.json locust.log of one on another machine

All but run.json and totals.json only grow, so whatever happens to the writer, what it wrote stays readable.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Annotated, Final, Self

import msgspec

from ci_gate.errors import EvidenceError
from ci_gate.evidence.lines import append_line
from ci_gate.evidence.log_end import read_log_end
from ci_gate.evidence.log_errors import NO_LOG_ERRORS, LogErrors, read_log_errors
from ci_gate.evidence.processes import (
    MAX_PROCESSES,
    Worker,
    find_worker_folders,
    merge_readings,
    merge_totals,
    read_totals,
    read_worker,
)
from ci_gate.evidence.ranges import Count, Quantity, Rate, Span, Version
from ci_gate.evidence.readings import (
    MachineReading,
    Mark,
    ProbeReading,
    Reading,
    StatementReading,
    StrictValue,
    Totals,
    encode_json,
)
from ci_gate.evidence.stacks import Stacks, read_stacks
from ci_gate.evidence.strict_json import check_schema, decode, read_bounded, read_lines
from ci_gate.evidence.traces import read_traces
from ci_gate.evidence.workload import UnusedSetting

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RUN_SCHEMA: Final = 2
HEAD: Final = "head"  # the recording of head alone
TAKEN: Final = "taken"  # behind the name of a recording that was made again, because others had the machine
DUET_BASE: Final = "duet-base"
DUET_HEAD: Final = "duet-head"
CONFIRM: Final = ("confirm-base", "confirm-head")  # the second start of a comparison that would block
CONFIRMED_LATER: Final = "it is left to a fresh runner"
"""Why a second start was not measured, in the failures of a run whose comparison another job confirms."""
RESET_CHECKS: Final = ("reset-check-1", "reset-check-2")  # after a reset each: do they see the same?
CODE_BASE: Final = "code-base"  # stacks are sampled under this load, and nothing is judged by it
CODE_HEAD: Final = "code-head"
STEP: Final = "step-{:03d}"  # of `ci-gate capacity`
_RECORDINGS: Final = r"^(head|(duet|confirm|code)-(base|head)|reset-check-[12]|step-[0-9]{3})\Z"
RecordingName = Annotated[str, msgspec.Meta(pattern=_RECORDINGS)]


class ShapePlan(StrictValue, frozen=True):
    """A LoadTestShape, and ``share`` times as many ``users`` as it asks for at most.

    ``ends``: it ends the load itself; else the plan's duration does.
    """

    name: str
    users: Count
    share: Quantity
    ends: bool

    @property
    def peak_users(self) -> int:
        """How many users run at most."""
        return scale_users(self.users, self.share)


def scale_users(users: int, share: float) -> int:
    """So many of them, rounded up; 0 only of 0."""
    return math.ceil(round(users * share, 6))


class RecordingPlan(StrictValue, frozen=True):
    """What one Locust run is to do; run.json keeps it, and the recorder is started with it."""

    scenario: str
    recording: RecordingName
    locustfile: str  # files and folders, joined by commas as Locust's own option takes them
    users: dict[str, Count]
    spawn_rate: Rate
    warmup_s: Span
    duration_s: Span
    drain_s: Span  # how long requests in flight at the end are awaited
    spawn_timeout_s: Span
    seed: Count
    arrivals_per_s: Rate | None  # of an open workload
    ramp_s: Span  # of the arrivals
    offered_per_s: Rate | None  # what the users could send if every reply came at once; None: not known
    least_offered_per_s: dict[str, Rate] = msgspec.field(default_factory=dict)  # by class; absent: not known
    unused: tuple[UnusedSetting, ...] = ()
    service_first: bool | None = None  # of a duet: its service is started before the other side's
    load_first: bool | None = None  # the same of its Locust; None: no duet, or not written down
    directory: str = ""  # the working folder, below the repository's
    env: dict[str, str] = msgspec.field(default_factory=dict)  # as the scenario has it, not resolved
    args: tuple[str, ...] = ()  # the same
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    host: str | None = None  # the same, of users that are no HTTP users
    shape: ShapePlan | None = None  # in place of users and spawn_rate
    trace: bool = False  # each request carries a trace id
    planned_users: Count | None = None  # of a step: the scenario's, or the most that its shape asks for
    processes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PROCESSES)] = 1  # of Locust that put the load on
    worker_cpus: tuple[Count, ...] = ()  # the CPU of each of them; () where they are not pinned
    other_cpus: tuple[Count, ...] = ()  # those of the service and all else, where they are
    remote: bool = False  # they are on other machines

    @property
    def user_count(self) -> int:
        """Users of all classes together; under a shape, at most."""
        return self.shape.peak_users if self.shape else sum(self.users.values())


class RunInfo(StrictValue, frozen=True):
    """run.json: enough to judge the evidence again, and to know where it comes from."""

    schema: Version
    ci_gate_version: str
    profile: str
    started_at: str  # ISO 8601, UTC
    ended_at: str | None  # None: the run is going on, or was killed
    interrupted: bool
    thresholds_file: str
    thresholds_text: str
    recordings: tuple[RecordingPlan, ...]
    failures: dict[str, str]  # scenario, or its duet (see duet_name) -> why it was not measured to its end
    host: dict[str, str]
    versions: dict[str, str]
    git: dict[str, str]
    failed: str | None = None  # why the run itself could not go on; then it was not interrupted
    options: dict[str, str] = msgspec.field(default_factory=dict)  # of the command line


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording read back. ``strings[i]`` is the text with id i; ``strings[0]`` is empty.

    Samples stand in the order in which they ended, those that were due in the steady phase together.
    Of several processes of Locust it holds what all recorded, and ``workers`` what each says of itself.
    """

    samples: NDArray[np.void]
    strings: tuple[str, ...]
    marks: tuple[Mark, ...]
    readings: tuple[Reading, ...]
    machine: tuple[MachineReading, ...]
    totals: Totals | None  # None: Locust was killed before it wrote them
    probes: tuple[ProbeReading, ...] = ()
    statements: tuple[StatementReading, ...] = ()
    log_ends: dict[str, tuple[str, ...]] = {}  # the last lines of locust.log and service.log
    log_errors: LogErrors = NO_LOG_ERRORS  # of service.log
    stacks: dict[str, Stacks] = {}  # by the name of their file
    traces: dict[float, str] = {}  # trace ids of the slowest requests, by when they were sent
    workers: tuple[Worker, ...] = ()

    def mark(self, name: str) -> Mark | None:
        """The first mark with this name."""
        return next((mark for mark in self.marks if mark.name == name), None)


class LineWriter:
    """Appends one JSON value a line, each readable by others at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, value: msgspec.Struct) -> None:
        append_line(self._file, encode_json(value))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)


def write_json(path: Path, value: msgspec.Struct) -> None:
    """Replace ``path`` at once: a reader sees the old text or the new, never half of one."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(msgspec.json.format(encode_json(value), indent=1) + b"\n")
    temporary.replace(path)


def read_recording(folder: Path, *, for_diagnosis: bool = True) -> Recording:
    """Read one recording, finished or not. Raises EvidenceError where a file is not what we write.

    Not ``for_diagnosis``: without errors of the log, stacks and trace ids, which take long beside a load.
    """
    from ci_gate.evidence.requests import read_requests  # with numpy, which Locust has no use for

    folders = find_worker_folders(folder)
    marks = read_lines(folder / "marks.jsonl", Mark)
    samples, strings = read_requests([folder, *(each for _, each in folders)], marks)
    workers = tuple(read_worker(number, each) for number, each in folders)
    readings, totals = read_lines(folder / "readings.jsonl", Reading), read_totals(folder)
    if workers:
        readings, totals = merge_readings(readings, workers), merge_totals(totals, workers)
    return Recording(
        samples=samples,
        strings=strings,
        marks=marks,
        readings=readings,
        machine=read_lines(folder / "machine.jsonl", MachineReading),
        totals=totals,
        workers=workers,
        probes=read_lines(folder / "probes.jsonl", ProbeReading),
        statements=read_lines(folder / "statements.jsonl", StatementReading),
        log_ends={name: read_log_end(folder / name) for name in ("locust.log", "service.log")},
        log_errors=read_log_errors(folder / "service.log") if for_diagnosis else NO_LOG_ERRORS,
        stacks=read_stacks(folder) if for_diagnosis else {},
        traces=read_traces(folder, *(each for _, each in folders)) if for_diagnosis else {},
    )


def read_run(folder: Path) -> RunInfo:
    """run.json of an evidence folder. Raises EvidenceError, also for another schema version."""
    path = folder / "run.json"
    text = read_bounded(path)
    check_schema(text, RUN_SCHEMA, str(path), f"{path}:")
    return decode(text, RunInfo, str(path))


def duet_name(scenario: str, *, is_second: bool = False) -> str:
    """The key of a scenario's duet in RunInfo.failures, or of its second start."""
    return f"{scenario}/{'confirm' if is_second else 'duet'}"


def code_name(scenario: str) -> str:
    """The same of the load under which its code is sampled."""
    return f"{scenario}/code"


def recording_folder(out: Path, plan: RecordingPlan) -> Path:
    """Where the evidence of one recording is."""
    return out / plan.scenario / plan.recording


def read_recordings(out: Path, run: RunInfo) -> dict[tuple[str, str], Recording]:
    """Every planned recording that is there, by scenario and name. Raises EvidenceError for a bad one."""
    found: dict[tuple[str, str], Recording] = {}
    for plan in run.recordings:
        folder = recording_folder(out, plan)
        if not folder.resolve().is_relative_to(out.resolve()):
            raise EvidenceError(f"run.json names a scenario outside its folder: {plan.scenario!r}")
        if (folder / "samples.bin").exists():
            found[plan.scenario, plan.recording] = read_recording(folder)
    return found
