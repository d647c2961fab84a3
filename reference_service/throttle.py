"""Throttling by the generic cell rate algorithm: one number for each key, in this process or in Redis.

The number is the theoretical arrival time: when the key would have used up what it has taken, at its rate.
A request is refused while that lies more than one period ahead. Formula: ITU-T I.371, virtual scheduling.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from redis.asyncio import Redis

from reference_service.quantities import Rate

KEY_PREFIX = "ci-gate:throttle:"
_MAX_KEYS = 100_000

_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = arrival + ARGV[1] - ARGV[2] - now
if wait > 0.000001 then return tostring(wait) end
redis.call('SET', KEYS[1], string.format('%.6f', arrival + ARGV[1]), 'PX', math.ceil(ARGV[2] * 1000) + 1)
return '0'
"""


class Throttle(Protocol):
    """Where requests are counted."""

    async def take(self, key: str, rate: Rate) -> float:
        """Count one request. 0 when it may pass, else the seconds after which it might."""
        ...


class MemoryThrottle:
    """Counts in this process alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrivals: dict[str, float] = {}

    async def take(self, key: str, rate: Rate) -> float:
        now_s = self._clock()
        if len(self._arrivals) > _MAX_KEYS:
            self._arrivals = {name: at_s for name, at_s in self._arrivals.items() if at_s > now_s}
        arrival_s = max(self._arrivals.get(key, now_s), now_s) + rate.period_s / rate.count
        wait_s = arrival_s - rate.period_s - now_s
        if wait_s > 1e-6:  # noqa: PLR2004  # below a microsecond it is rounding
            return wait_s
        self._arrivals[key] = arrival_s
        return 0.0


class RedisThrottle:
    """Counts in Redis, by Redis' own clock, so that several processes agree."""

    def __init__(self, client: Redis) -> None:
        self._take = client.register_script(_TAKE)

    async def take(self, key: str, rate: Rate) -> float:
        wait = await self._take(keys=[KEY_PREFIX + key], args=[rate.period_s / rate.count, rate.period_s])
        return float(wait)
