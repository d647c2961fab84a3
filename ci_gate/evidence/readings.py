"""What is written down once a second, and once, beside the samples of a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ci_gate.addresses import hide_kept
from ci_gate.evidence.probe_kinds import ProbeName
from ci_gate.evidence.ranges import Count, Milliseconds, Moment, Percent, Quantity, Span, Value


class StrictValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is written to a file, and read back only if it is exactly what was written."""


def encode_json(value: msgspec.Struct) -> bytes:
    """One line, without secrets. Half a character, of a file's name that is no UTF-8, becomes a ``?``."""
    try:
        line = msgspec.json.encode(value)
    except UnicodeEncodeError:
        line = msgspec.json.encode(_map_texts(msgspec.to_builtins(value), _replace_halves))
    text = line.decode()
    # In the texts alone: a secret of digits may stand in a number, too.
    is_clean = hide_kept(text) == text
    return line if is_clean else msgspec.json.encode(_map_texts(msgspec.json.decode(line), hide_kept))


def _replace_halves(text: str) -> str:
    return text.encode(errors="replace").decode()


def _map_texts(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_map_texts(key, change): _map_texts(each, change) for key, each in value.items()}
    return [_map_texts(each, change) for each in value] if isinstance(value, list | tuple) else value


class Mark(StrictValue, frozen=True):
    """The moment a phase began, on both clocks, so that a jump of the wall clock shows."""

    name: Literal[
        "started", "spawned", "spawn_timeout", "no_users", "steady", "worker_lost", "stopping", "ended"
    ]
    wall_s: Moment
    monotonic_s: Moment


class Reading(StrictValue, frozen=True):
    """The generator in the second before ``wall_s``."""

    wall_s: Moment
    monotonic_s: Moment
    users: dict[str, Count]  # running users by class
    ready: Count  # users whose on_start has ended well
    cpu_percent: Percent  # of one core
    lag_ms: Milliseconds  # the longest time by which the event loop was late
    memory_bytes: Count
    mean_lag_ms: Milliseconds | None = None  # for which who came at any moment waited for it, on average
    target_users: Count | None = None  # that a shape asked for last; None: no shape decides


class ForeignProcess(StrictValue, frozen=True):
    """Processes of one name that are neither the service, nor Locust, nor ci-gate."""

    name: str
    cores: Quantity


class ForeignUse(StrictValue, frozen=True):
    """CPU that others took, in cores; ``processes`` are those that took most."""

    cores: Quantity  # the next included
    stolen_cores: Quantity  # by the host of this virtual machine
    processes: tuple[ForeignProcess, ...]


KILLED_FOR_MEMORY: Final = "killed because it needed more than its memory limit"
"""How a container ended, where its engine says so: ``service_end`` begins with it. It does not always."""

KILLED: Final = "killed by SIGKILL"
"""The same for what the kernel, or anybody else, killed."""


class MachineReading(StrictValue, frozen=True):
    """Host and service in the second before ``wall_s``; None where it could not be read."""

    wall_s: Moment
    host_cpu_percent: Percent  # of all cores, 0 to 100
    load_average: Quantity
    service_alive: bool
    service_cpu_percent: Percent | None  # of one core
    service_memory_bytes: Count | None  # its own: a container's anonymous memory, or processes' PSS
    service_restarts: Count | None = None  # how often something else has started it again
    service_busiest_percent: Percent | None = None  # of one core, by the busiest of its processes
    service_throttled_s: Span | None = None  # its threads were kept from the CPU by the quota of its cgroup
    service_cpus: Quantity | None = None  # that quota in cores; None: there is none
    service_waited_s: Span | None = None  # its threads could have run, and others had the CPU
    service_cpu_s: Quantity | None = None  # used since the first reading, by what has ended since then too
    host_cores: Count | None = None
    foreign: ForeignUse | None = None  # what others took
    service_listen_queue: Count | None = None  # connections to its port that it has not accepted yet
    service_accepting: Count | None = None  # processes that accept them; read only while some wait
    service_end: str = ""  # how it ended, as `exit status 3`; empty while it runs
    service_listen_overflows: Count | None = None  # of any full queue of its network namespace, so far


class ProbeReading(StrictValue, frozen=True):
    """What one probe read at ``wall_s``: gauges as they are, counters as they stand.

    ``values`` has the names of its row in `PROBE_KINDS`; it is empty where ``error`` says why
    nothing could be read.
    """

    wall_s: Moment
    probe: ProbeName
    took_ms: Milliseconds
    values: dict[str, Value]
    error: str = ""


class StatementTotal(StrictValue, frozen=True):
    """One statement's counters in pg_stat_statements."""

    query: str
    calls: Count
    total_ms: Milliseconds


MAX_STATEMENTS: Final = 60
"""Of a reading: so many that were called most often, and as many that took longest; one is often both."""


class StatementReading(StrictValue, frozen=True):
    """What each statement of the database was called and took since the first reading, which has none.

    Fewer than MAX_STATEMENTS are all that there were. Evidence of versions before 1.0 has the ten that took
    longest since the server counts, in the first reading, too.
    """

    wall_s: Moment
    statements: tuple[StatementTotal, ...]


class EndpointTotal(StrictValue, frozen=True):
    """Locust's own count for one endpoint."""

    endpoint: str
    requests: Count
    failures: Count


class ErrorCount(StrictValue, frozen=True):
    """How often something went wrong in the same way."""

    subject: str  # a user class, or a task
    error: str
    count: Count


class TaskCount(StrictValue, frozen=True):
    """How often a task ran to its end, and how many requests that made."""

    user_class: str
    task: str
    runs: Count
    requests: Count


class Redirects(StrictValue, frozen=True):
    """How often replies to an endpoint came from another page, since the steady phase began."""

    endpoint: str
    asked: str  # the path of one such request
    page: str  # the path that answered
    count: Count
    also_asked: str = ""  # the path of another one, where there was one


class ExitCode(StrictValue, frozen=True):
    """The exit code that the locustfile chose for Locust, and what it printed last."""

    code: str
    printed: tuple[str, ...]


class EarlyStop(StrictValue, frozen=True):
    """The locustfile ended the test before its time: by which line of its code, and what it printed last.

    ``where`` is empty where none of its code was running, as for a StopTest that it raised.
    """

    where: str
    printed: tuple[str, ...]


class OddValue(StrictValue, frozen=True):
    """What request events of an endpoint brought that is not what Locust documents.

    ``value`` is the first of them, as Python shows it, and ``read_as`` what was made of it.
    """

    endpoint: str
    argument: str  # of the event: name, response_time, ...
    value: str
    read_as: str
    count: Count


class Totals(StrictValue, frozen=True):
    """What was counted beside the samples, from the first request to the last.

    ``endpoints`` is Locust's own statistics, which a scenario may reset; ``heard`` is the recorder's count of
    the events, None in evidence of versions that kept none.
    """

    endpoints: tuple[EndpointTotal, ...]
    start_failures: tuple[ErrorCount, ...]  # users that died in on_start, by class
    task_errors: tuple[ErrorCount, ...]  # tasks that ended by an exception
    listener_errors: Count
    locust_version: str
    other_hosts: dict[str, str] = {}  # endpoints that another server than the service answered, and which
    redirects: tuple[Redirects, ...] = ()
    own_hosts: dict[str, str] = {}  # of user classes that kept them instead of the service's URL
    exit_code: ExitCode | None = None  # None: it chose none, or success
    stopped: EarlyStop | None = None
    shape_ended: bool = False  # the shape of the load ended it
    left_users: dict[str, Count] = {}  # users that ended by themselves while the load was on, by class
    heard: tuple[EndpointTotal, ...] | None = None
    odd_values: tuple[OddValue, ...] = ()
    tasks: tuple[TaskCount, ...] = ()  # of a reset check; other recordings do not count them
    listener_texts: tuple[ErrorCount, ...] = ()  # what the listeners raised, in which, at which status
