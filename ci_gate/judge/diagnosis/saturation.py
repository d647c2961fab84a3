"""When a resource counts as saturated: the criteria of the causes, of what was observed."""

from __future__ import annotations

import math
from typing import Final, Literal

from ci_gate.judge.diagnosis.observation import ResourceUsage
from ci_gate.judge.diagnosis.occupancy import (
    FULL,
    count_in_listen_queue,
    count_pool_queue,
    is_generator_busy,
)
from ci_gate.judge.foreign import MAX_FOREIGN

MIN_QUEUE: Final = 1.0  # requests, on average: hardly ever none
ONE_THREAD_CORES: Final = 1.5  # a process that uses more is not held by one thread
MAX_THROTTLED: Final = 0.1  # of the quota's time
LATE_S: Final = 0.1
_MAJORITY: Final = 0.5
_MIN_OVERFLOWS_PER_S: Final = 1.0

CpuLimit = Literal["service-cpu", "cpu-quota", "host-cpu"]


def find_cpu_limit(usage: ResourceUsage) -> CpuLimit | None:
    """Which limit is reached, if one is: the quota, one core by one thread, or what others leave of it."""
    service, quota = usage.service_cores or 0.0, usage.quota_cores
    if quota and (service >= FULL * quota or (usage.throttled_s or 0.0) >= MAX_THROTTLED * quota):
        return "cpu-quota"
    cores = usage.pinned_cores or usage.host_cores
    if cores and service >= FULL * cores:
        return "service-cpu"
    return name_cpu(usage) if is_one_thread_busy(usage) else None


def name_cpu(usage: ResourceUsage) -> CpuLimit:
    """Its own where it ran for longer than it waited, or would be short without the others too.

    That is where all that is offered takes more than a core, unless others had so much of the machine that
    it was not asked for as much.
    """
    if (usage.busiest_cores or 0.0) >= (usage.busiest_waited_cores or 0.0):
        return "service-cpu"
    is_taken = (usage.foreign_cores or 0.0) >= MAX_FOREIGN * (usage.host_cores or math.inf)
    return "host-cpu" if is_taken or (usage.cores_for_all_offered or 0.0) < FULL else "service-cpu"


def is_one_thread_busy(usage: ResourceUsage) -> bool:
    """The busiest process runs on one core, or waits for one, all the time.

    Where waiting cannot be read: it has most of a core, and all cores of the machine are busy.
    """
    busiest, waited = usage.busiest_cores or 0.0, usage.busiest_waited_cores
    if busiest > ONE_THREAD_CORES:
        return False
    return busiest + (waited or 0.0) >= FULL or (
        waited is None and busiest >= FULL / 2 and is_host_full(usage)
    )


def is_host_full(usage: ResourceUsage) -> bool:
    """All cores of this machine are busy, or all that the processes of Locust leave to the others."""
    if usage.pinned_cores:
        return (usage.host_used_cores or 0.0) - usage.generator_cores >= FULL * usage.pinned_cores
    return bool(usage.host_cores) and (usage.host_used_cores or 0.0) >= FULL * (usage.host_cores or 0)


def is_generator_short(usage: ResourceUsage) -> bool:
    """A process of Locust needs a core for itself, or is late on average."""
    return is_generator_busy(usage) or usage.generator_lag_s >= LATE_S


def are_workers_busy(usage: ResourceUsage) -> bool:
    """All of them, on average."""
    busy, workers = usage.service.mean("workers_busy") or 0.0, usage.service.mean("workers") or 0.0
    return workers > 0 and busy >= FULL * workers


def is_pool_full(usage: ResourceUsage) -> bool:
    """All connections are in use, and requests wait for one."""
    size, in_use = usage.service.mean("pool_size") or 0.0, usage.service.mean("pool_in_use") or 0.0
    return size > 0 and in_use >= FULL * size and count_pool_queue(usage) >= MIN_QUEUE


def is_database_full(usage: ResourceUsage) -> bool:
    """It works on as many statements as this machine has cores; those of another machine are not known."""
    return usage.host_cores is not None and (usage.postgres.mean("on_cpu") or 0.0) >= FULL * usage.host_cores


def is_listen_queue_long(usage: ResourceUsage) -> bool:
    """Connections wait to be accepted, hardly ever none.

    One reading alone may find what users who came together have just opened.
    """
    return count_in_listen_queue(usage) >= MIN_QUEUE and usage.listen_queue_share >= _MAJORITY


def is_listen_queue_overflowing(usage: ResourceUsage) -> bool:
    """It is so short that most who wait are not even in it: they try to connect again and again."""
    return is_listen_queue_long(usage) and usage.listen_overflows_per_s >= _MIN_OVERFLOWS_PER_S


def is_redis_full(usage: ResourceUsage) -> bool:
    """It runs commands in one thread."""
    return (usage.redis.rate("cpu_s") or 0.0) >= FULL


def is_inside_observed(usage: ResourceUsage) -> bool:
    """CPU, pool and database: enough to say that a wait is for none of them."""
    return usage.service_cores is not None and is_pool_observed(usage) and bool(usage.postgres.readings)


def is_pool_observed(usage: ResourceUsage) -> bool:
    """How many hold a connection of it, and how many wait for one."""
    return usage.service.mean("pool_in_use") is not None and not is_pool_queue_hidden(usage)


def is_pool_queue_hidden(usage: ResourceUsage) -> bool:
    """Nothing shows how many wait for a connection of the pool, and it may be full."""
    if usage.service.mean("pool_waiting") is not None or usage.service.rate("pool_wait_seconds") is not None:
        return False
    size, most = usage.service.mean("pool_size") or 0.0, usage.service.peak("pool_in_use") or 0.0
    return most > 0 and most >= FULL * size
