"""A recording by several processes of Locust: each writes files of its own, and they are read as one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ci_gate.evidence.clocks import Clock, read_clock
from ci_gate.evidence.delivery import Delivery, read_delivery
from ci_gate.evidence.readings import EndpointTotal, ErrorCount, Mark, Reading, Redirects, Totals
from ci_gate.evidence.strict_json import read_json, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path


MAX_PROCESSES: Final = 64
WORKER: Final = "worker-{}"  # the folder of one process in that of its recording, counted from 1
_CURRENT_S: Final = 2.5  # for which a reading holds: there is one a second
_T = TypeVar("_T")


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What one process says of itself. ``totals`` is None where it was killed before it wrote them."""

    number: int
    marks: tuple[Mark, ...]
    readings: tuple[Reading, ...]
    totals: Totals | None
    clock: Clock | None = None  # of one on another machine; ``marks`` and ``readings`` have the master's time
    delivery: Delivery | None = None  # the same
    rows: int | None = None  # the same: how many have arrived, where ``delivery`` has

    @property
    def name(self) -> str:
        """As reports name it."""
        return f"Locust worker {self.number}"

    @property
    def machine(self) -> str:
        """What the other machine is called; empty where it ran beside the master, or said nothing."""
        return self.delivery.machine if self.delivery else ""


def read_worker(number: int, folder: Path) -> Worker:
    """One process of several, as far as it has written. Raises EvidenceError for a file that is not ours."""
    clock, delivery = read_clock(folder), read_delivery(folder)
    marks, readings = read_lines(folder / "marks.jsonl", Mark), read_lines(folder / "readings.jsonl", Reading)
    return Worker(
        number=number,
        marks=clock.shift(marks) if clock else marks,
        readings=clock.shift(readings) if clock else readings,
        totals=read_totals(folder),
        clock=clock,
        delivery=delivery,
        rows=_count_rows(folder) if delivery else None,
    )


def _count_rows(folder: Path) -> int:
    from ci_gate.evidence.sample_table import count_rows  # with numpy, which Locust has no use for

    return count_rows(folder / "samples.bin")


def read_totals(folder: Path) -> Totals | None:
    """None where they were not written. Raises EvidenceError."""
    path = folder / "totals.json"
    return read_json(path, Totals) if path.exists() else None


def list_generators(
    workers: tuple[Worker, ...], readings: tuple[Reading, ...]
) -> tuple[tuple[str, tuple[Reading, ...]], ...]:
    """The name and the readings of each process that puts load on; ``readings`` are those of a single one."""
    return tuple((worker.name, worker.readings) for worker in workers) or (("Locust", readings),)


def find_worker_folders(folder: Path) -> tuple[tuple[int, Path], ...]:
    """The number and the folder of each process that has written there; () of a single one."""
    numbered = ((number, folder / WORKER.format(number)) for number in range(1, MAX_PROCESSES + 1))
    return tuple((number, each) for number, each in numbered if (each / "samples.bin").exists())


def merge_readings(readings: tuple[Reading, ...], workers: tuple[Worker, ...]) -> tuple[Reading, ...]:
    """The master's, which count the users of all, with the CPU and memory of all and the worst lateness."""
    merged: list[Reading] = []
    queues = [list(reversed(worker.readings)) for worker in workers]
    last: list[Reading | None] = [None] * len(workers)
    for reading in readings:
        lag_ms = reading.lag_ms
        for index, queue in enumerate(queues):
            while queue and queue[-1].monotonic_s <= reading.monotonic_s:
                last[index] = queue.pop()
                lag_ms = max(lag_ms, last[index].lag_ms)  # type: ignore[union-attr]
        now = [each for each in last if each and each.monotonic_s > reading.monotonic_s - _CURRENT_S]
        merged.append(
            msgspec.structs.replace(
                reading,
                cpu_percent=reading.cpu_percent + sum(each.cpu_percent for each in now),
                memory_bytes=reading.memory_bytes + sum(each.memory_bytes for each in now),
                lag_ms=lag_ms,
            )
        )
    return tuple(merged)


def merge_totals(master: Totals | None, workers: tuple[Worker, ...]) -> Totals | None:
    """What all counted. Where one could not say it, no count of requests is left to compare with.

    ``endpoints`` is the master's: Locust adds up the statistics of its workers there.
    """
    if master is None:
        return None
    totals = [master, *(worker.totals for worker in workers if worker.totals)]
    is_whole = all(worker.totals for worker in workers)
    heard = [each for part in totals for each in part.heard or ()]
    return msgspec.structs.replace(
        master,
        endpoints=master.endpoints if is_whole else (),
        heard=_add_endpoints(heard) if is_whole else None,
        start_failures=_add_errors(part.start_failures for part in totals),
        task_errors=_add_errors(part.task_errors for part in totals),
        listener_errors=sum(part.listener_errors for part in totals),
        listener_texts=_add_errors(part.listener_texts for part in totals),
        other_hosts={name: host for part in totals for name, host in part.other_hosts.items()},
        own_hosts={name: host for part in totals for name, host in part.own_hosts.items()},
        redirects=_add_redirects(each for part in totals for each in part.redirects),
        odd_values=_add_up(
            (each for part in totals for each in part.odd_values),
            lambda each: (each.endpoint, each.argument),
        ),
        exit_code=next((part.exit_code for part in totals if part.exit_code), None),
        stopped=next((part.stopped for part in totals if part.stopped), None),
        left_users=dict(sum((Counter(part.left_users) for part in totals), Counter())),
    )


def _add_endpoints(totals: Iterable[EndpointTotal]) -> tuple[EndpointTotal, ...]:
    requests: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for total in totals:
        requests[total.endpoint] += total.requests
        failures[total.endpoint] += total.failures
    return tuple(
        EndpointTotal(endpoint=name, requests=count, failures=failures[name])
        for name, count in requests.items()
    )


def _add_redirects(redirects: Iterable[Redirects]) -> tuple[Redirects, ...]:
    """By endpoint and page; what two processes asked for may be two paths."""
    every = tuple(redirects)
    asked: dict[tuple[str, str], dict[str, None]] = {}
    for each in every:
        paths = asked.setdefault((each.endpoint, each.page), {})
        paths |= dict.fromkeys(path for path in (each.asked, each.also_asked) if path)
    return tuple(
        msgspec.structs.replace(each, also_asked=(*asked[each.endpoint, each.page], "")[1])
        for each in _add_up(every, lambda each: (each.endpoint, each.page))
    )


def _add_errors(parts: Iterable[tuple[ErrorCount, ...]]) -> tuple[ErrorCount, ...]:
    return _add_up((each for part in parts for each in part), lambda each: (each.subject, each.error))


def _add_up(counts: Iterable[_T], key: Callable[[_T], Hashable]) -> tuple[_T, ...]:
    """Those with the same key as one, with their counts added."""
    added: dict[Hashable, _T] = {}
    for each in counts:
        known = added.get(key(each))
        added[key(each)] = (
            msgspec.structs.replace(known, count=known.count + each.count) if known else each  # type: ignore[attr-defined,type-var]
        )
    return tuple(added.values())
