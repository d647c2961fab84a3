"""Sessions and throttling, in memory with a clock of our own and in a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis.asyncio import Redis

from reference_service.quantities import Rate
from reference_service.sessions import MemorySessions, RedisSessions
from reference_service.throttle import MemoryThrottle, RedisThrottle
from tests.reference.processes import PASSWORD, Client, reset, started_service

THREE_PER_MINUTE = Rate(count=3, period_s=60)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_memory_sessions__end_after_their_lifetime() -> None:
    async def scenario() -> None:
        clock = Clock()
        sessions = MemorySessions(10, clock)
        first = await sessions.open("ada")
        clock.now_s += 9.9
        assert await sessions.find_user(first) == "ada"
        clock.now_s += 0.2
        assert await sessions.find_user(first) is None
        second = await sessions.open("grace")
        assert await sessions.find_user(second) == "grace"
        clock.now_s -= 9.9  # what has ended is not kept: by now it would live
        assert await sessions.find_user(first) is None

    asyncio.run(scenario())


@pytest.mark.redis
def test_redis_sessions__end_after_their_lifetime(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            sessions = RedisSessions(client, 2)
            token = await sessions.open("ada")
            assert await sessions.find_user(token) == "ada"
            assert await sessions.find_user(token + "x") is None
            await asyncio.sleep(2.1)
            assert await sessions.find_user(token) is None

    asyncio.run(scenario())


def test_memory_throttle__lets_a_period_s_count_pass_and_then_its_rate() -> None:
    async def scenario() -> None:
        clock = Clock()
        throttle = MemoryThrottle(clock)
        assert [await throttle.take("ada", THREE_PER_MINUTE) for _ in range(3)] == [0, 0, 0]
        assert await throttle.take("ada", THREE_PER_MINUTE) == pytest.approx(20)
        assert await throttle.take("grace", THREE_PER_MINUTE) == 0
        clock.now_s += 19.9
        assert await throttle.take("ada", THREE_PER_MINUTE) == pytest.approx(0.1)
        clock.now_s += 0.1
        assert await throttle.take("ada", THREE_PER_MINUTE) == 0
        assert await throttle.take("ada", THREE_PER_MINUTE) == pytest.approx(20)

    asyncio.run(scenario())


@pytest.mark.redis
def test_redis_throttle__lets_a_period_s_count_pass_and_then_its_rate(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            throttle = RedisThrottle(client)
            rate = Rate(count=4, period_s=12)
            assert [await throttle.take("ada", rate) for _ in range(4)] == [0, 0, 0, 0]
            wait_s = await throttle.take("ada", rate)
            assert 0 < wait_s <= 3
            assert await throttle.take("grace", rate) == 0
            await asyncio.sleep(wait_s + 0.01)
            assert await throttle.take("ada", rate) == 0

    asyncio.run(scenario())


def test_service__throttles_each_user_apart(backend: Mapping[str, str], tmp_path: Path) -> None:
    reset(backend)
    with started_service({**backend, "THROTTLE_USER": "4/m"}, tmp_path) as service:
        ada, grace = Client(service, "user-0001"), Client(service, "user-0002")
        statuses = [ada.get("/api/v1/deployments/1").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        refused = ada.get("/api/v1/deployments/1")
        assert refused.json()["error"] == "throttled"
        assert 1 <= int(refused.headers["Retry-After"]) <= 15
        assert grace.get("/api/v1/deployments/1").status_code == 200
        assert service.metrics()["reference_throttled_total{user}"] == 2


def test_service__throttles_guessing_of_passwords(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**embedded, "THROTTLE_USER": "2/m"}, tmp_path) as service:
        client = Client(service, user=None)
        guesses = [{"username": "user-0001", "password": f"guess {n}"} for n in range(3)]
        assert [client.post("/api/v1/login", guess).status_code for guess in guesses] == [401, 401, 429]
        right = {"username": "user-0001", "password": PASSWORD}
        assert client.post("/api/v1/login", right).status_code == 429


def test_service__throttles_an_address_whoever_calls(backend: Mapping[str, str], tmp_path: Path) -> None:
    reset(backend)
    with started_service({**backend, "THROTTLE_ADDRESS": "3/m"}, tmp_path) as service:
        clients = [Client(service, f"user-{n:04}") for n in range(3)]
        assert {client.get("/api/v1/deployments").status_code for client in clients} == {429}


def test_service__does_not_throttle_by_default(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service(embedded, tmp_path) as service, ThreadPoolExecutor(8) as threads:
        client = Client(service)
        statuses = threads.map(lambda _: client.get("/api/v1/deployments/1").status_code, range(200))
        assert set(statuses) == {200}
        assert "reference_throttled_total{address}" not in service.metrics()
