from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import redis

from ci_gate.measure.probes.redis_info import RedisProbe
from tests.service.services import await_true

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def probe(redis_url):
    probe = RedisProbe(redis_url)
    yield probe
    probe.disconnect()


def test_values__are_those_of_the_server(client, probe):
    client.config_set("maxmemory", "64mb")
    before = probe.read()
    client.set("here", "x" * 100_000)
    client.get("here")
    client.get("gone")
    after = probe.read()
    change = {name: after[name] - before[name] for name in after}
    assert (change["hits"], change["misses"], change["evicted_keys"]) == (1, 1, 0)
    assert change["commands"] >= 4  # the three, and the INFO before
    assert change["memory_bytes"] > 100_000
    assert 0 < change["cpu_s"] < 1
    assert after["maxmemory_bytes"] == 64 * 1024**2
    assert (after["clients"], after["blocked_clients"]) == (1, 0)


def test_blocked_client__is_counted(redis_url, probe):
    with redis.Redis.from_url(redis_url) as waiting:
        thread = threading.Thread(target=waiting.blpop, args=(["queue"], 20))
        thread.start()
        assert await_true(lambda: probe.read()["blocked_clients"])
        values = probe.read()
        with redis.Redis.from_url(redis_url) as client:
            client.rpush("queue", "work")
        thread.join()
    assert (values["clients"], values["blocked_clients"]) == (1, 1)
    assert probe.read()["blocked_clients"] == 0


def test_server_that_hangs__is_left_after_two_seconds(client, probe):
    probe.read()
    pid = client.info()["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            probe.read()
        assert 1.9 < time.monotonic() - began < 30
    finally:
        os.kill(pid, signal.SIGCONT)
    probe.disconnect()
    assert probe.read()["clients"] >= 0


def test_wrong_password__is_an_error(client, redis_url):
    client.config_set("requirepass", "right")
    with pytest.raises(redis.AuthenticationError):
        RedisProbe(redis_url.replace("redis://", "redis://:wrong@")).read()
    right = RedisProbe(redis_url.replace("redis://", "redis://:right@"))
    assert right.read()["commands"] > 0
    right.disconnect()


def test_user__who_may_only_ask_for_info(client, redis_url):
    client.acl_setuser("prober", enabled=True, passwords=["+right"], commands=["+info"])
    probe = RedisProbe(redis_url.replace("redis://", "redis://prober:right@"))
    assert probe.read()["commands"] > 0
    probe.finish()
