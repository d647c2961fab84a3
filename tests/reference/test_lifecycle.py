"""Start, readiness, reset, several workers, and configuration that cannot be."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from redis import Redis

from tests.reference.processes import (
    PASSWORD,
    Client,
    await_health,
    reset,
    run_service_command,
    started_service,
)
from tests.service.services import await_true


def test_start__seeds_an_empty_database(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service(embedded, tmp_path) as service:
        client = Client(service, "user-0019")
        assert len(client.get("/api/v1/approvals?board=25").json()["items"]) == 120


def test_start__leaves_a_filled_database_as_it_is(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service(embedded, tmp_path) as service:
        body = {"application": "kept", "version": "1", "ring": "canary", "device_count": 1}
        created = Client(service).post("/api/v1/deployments", body).json()["id"]
    with started_service(embedded, tmp_path) as service:
        found = Client(service).get(f"/api/v1/deployments/{created}").json()
    assert found["application"] == "kept"


def test_start__listens_when_the_database_is_there(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/later/reference.sqlite3"}
    with started_service(settings, tmp_path, health=set()) as service:
        assert await_true(lambda: "database not ready" in (tmp_path / "service.log").read_text(), 30)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{service.url}/healthz", timeout=10)
        (tmp_path / "later").mkdir()
        await_health(service.url, service.process, statuses={200})
        assert Client(service).get("/api/v1/deployments/1").status_code == 200


def test_health__fails_when_redis_is_gone(embedded: Mapping[str, str], tmp_path: Path) -> None:
    settings = {**embedded, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with started_service(settings, tmp_path, health={503}) as service:
        reply = requests.get(f"{service.url}/healthz", timeout=10)
        assert reply.status_code == 503


def test_reset__is_idempotent_and_empties(backend: Mapping[str, str], tmp_path: Path) -> None:
    reset(backend)
    with started_service(backend, tmp_path) as service:
        fresh = Client(service).get("/api/v1/approvals?limit=200").json()
        body = {"application": "forgotten", "version": "1", "ring": "canary", "device_count": 1}
        created = Client(service).post("/api/v1/deployments", body).json()["id"]
        Client(service).post(f"/api/v1/approvals/{fresh['items'][0]['id']}/approve")
    for _ in range(2):
        reset(backend)
    with started_service(backend, tmp_path) as service:
        assert Client(service).get("/api/v1/approvals?limit=200").json() == fresh
        assert Client(service).get(f"/api/v1/deployments/{created}").status_code == 404


def test_reset__while_the_service_runs(backend: Mapping[str, str], tmp_path: Path) -> None:
    reset(backend)
    with started_service(backend, tmp_path) as service:
        body = {"application": "forgotten", "version": "1", "ring": "canary", "device_count": 1}
        first = Client(service).post("/api/v1/deployments", body).json()["id"]
        reset(backend)
        assert Client(service).post("/api/v1/deployments", body).json()["id"] == first


@pytest.mark.redis
def test_reset__forgets_our_keys_in_redis_and_no_others(
    redis_url: str, embedded: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**embedded, "REDIS_URL": redis_url, "THROTTLE_USER": "3/m"}
    with Redis.from_url(redis_url) as redis:
        redis.set("somebody else's", "value")
        with started_service(settings, tmp_path) as service:
            client = Client(service, "user-0007")
            assert [client.get("/api/v1/deployments/1").status_code for _ in range(3)] == [200, 200, 429]
            reset(settings)
            assert client.get("/api/v1/deployments/1").status_code == 401
            assert Client(service, "user-0007").get("/api/v1/deployments/1").status_code == 200
        assert redis.get("somebody else's") == b"value"


def test_passwords__are_stored_as_argon2id(embedded: Mapping[str, str], tmp_path: Path) -> None:
    reset(embedded)
    database = sqlite3.connect(tmp_path / "reference.sqlite3")
    hashes = {row[0] for row in database.execute("SELECT password_hash FROM users")}
    database.close()
    assert all(value.startswith("$argon2id$") and PASSWORD not in value for value in hashes)


def test_command__resets(embedded: Mapping[str, str], tmp_path: Path) -> None:
    for _ in range(2):
        assert run_service_command("reset", settings=embedded, cwd=tmp_path).returncode == 0
    database = sqlite3.connect(tmp_path / "reference.sqlite3")
    counts = [
        database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("users", "approvals")
    ]
    database.close()
    assert counts == [20, 3500]


def test_command__reports_every_wrong_variable(tmp_path: Path) -> None:
    done = run_service_command("reset", settings={"POOL_SIZE": "many", "FAULTS": "gremlins"}, cwd=tmp_path)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["POOL_SIZE", "FAULTS"]


def test_command__refuses_several_workers_without_redis(embedded: Mapping[str, str], tmp_path: Path) -> None:
    done = run_service_command("--workers", "2", settings=embedded, cwd=tmp_path)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "REDIS_URL")


@pytest.mark.postgres
@pytest.mark.redis
def test_workers__share_sessions_and_metrics(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    reset(settings)
    with started_service(settings, tmp_path, "--workers", "2") as service:
        # Five connections of each worker: both are up.
        await_true(lambda: service.metrics().get("reference_db_pool_size") == 10, timeout_s=60)
        client = Client(service)
        with ThreadPoolExecutor(8) as threads:
            statuses = list(
                threads.map(lambda _: client.get("/api/v1/deployments/1").status_code, range(100))
            )
        # Whichever worker answers: it can serve, and knows the session.
        assert set(statuses) == {200}
        metrics = service.metrics()
        counted = sum(
            value
            for name, value in metrics.items()
            if name.startswith("reference_requests_total{GET /api/v1/deployments/{id}")
        )
        assert counted == 100


def test_stop__is_clean_on_sigterm(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service(embedded, tmp_path) as service:
        assert Client(service).get("/api/v1/deployments").status_code == 200
    assert service.process.returncode in {0, -15}
    assert "Traceback" not in (tmp_path / "service.log").read_text()
    assert not os.path.exists(f"/proc/{service.process.pid}")  # noqa: PTH110  # /proc is no file of ours
