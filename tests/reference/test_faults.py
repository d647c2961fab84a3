"""Each fault does what README.md says when it is on, and nothing when it is off."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests

from reference_service.faults import FAULT_NAMES
from reference_service.injection import CRASH_EXIT_CODE
from tests.reference.processes import PASSWORD, Client, RunningService, await_health, reset, started_service

README = Path(__file__).parents[2] / "reference_service" / "README.md"
SAFE = {"application": "editor", "version": "1.0", "ring": "canary", "device_count": 10}


def duration_s(work: Callable[[], object], *, at_once: int) -> float:
    began_s = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        for future in [threads.submit(work) for _ in range(at_once)]:
            future.result()
    return time.perf_counter() - began_s


def is_answered_beside(work: Callable[[], object], others: Callable[[], object], *, at_once: int) -> bool:
    """Whether ``work`` ends before all of ``others`` do, which began before it."""
    with ThreadPoolExecutor(at_once) as threads:
        futures = [threads.submit(others) for _ in range(at_once)]
        work()
        return not all(future.done() for future in futures)


def create(client: Client) -> requests.Response:
    return client.post("/api/v1/deployments", SAFE)


def read(client: Client) -> requests.Response:
    return client.get("/api/v1/deployments/1")


def grown(service: RunningService, name: str, work: Callable[[], object]) -> float:
    before = service.metrics().get(name, 0.0)
    work()
    return service.metrics()[name] - before


def test_readme__has_a_row_for_each_fault() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `")]
    documented = {row.split("`")[1].partition("=")[0] for row in rows}
    assert documented >= set(FAULT_NAMES)


def test_no_fault__waits_for_no_connection_and_counts_few_statements(
    service: RunningService, client: Client
) -> None:
    assert service.metrics()["reference_db_pool_size"] == 5
    waits = "reference_db_pool_waits_total"
    assert grown(service, waits, lambda: duration_s(lambda: create(client), at_once=5)) == 0
    assert grown(service, "reference_db_statements_total", lambda: client.get("/api/v1/approvals")) == 1
    assert grown(service, "reference_db_statements_total", lambda: client.get("/api/v1/deployments")) == 1


def test_tiny_pool__makes_units_of_work_wait_for_the_one_connection(
    backend: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**backend, "FAULTS": "tiny_pool=100ms", "POOL_TIMEOUT_S": "1"}
    with started_service(settings, tmp_path) as service:
        client = Client(service)
        assert duration_s(lambda: read(client), at_once=5) >= 0.5
        with ThreadPoolExecutor(30) as threads:
            replies = list(threads.map(lambda _: read(client), range(30)))
        refused = [reply for reply in replies if reply.status_code == 503]
        assert 0 < len(refused) < 30  # about 11 are served within a second
        assert {reply.json()["error"] for reply in refused} == {"pool_timeout"}
        assert not any("Retry-After" in reply.headers for reply in refused)
        metrics = service.metrics()
        assert metrics["reference_db_pool_size"] == 1
        assert metrics["reference_db_pool_waits_total"] >= len(refused)
        assert metrics["reference_db_pool_timeouts_total"] == len(refused)
        assert metrics["reference_db_pool_waiting"] == 0


def test_open_transaction__keeps_one_for_each_request_and_nobody_waits(
    backend: Mapping[str, str], tmp_path: Path
) -> None:
    with started_service({**backend, "FAULTS": "open_transaction=300ms"}, tmp_path) as service:
        client = Client(service)
        assert duration_s(lambda: read(client), at_once=1) >= 0.3
        waits = "reference_db_pool_waits_total"
        assert grown(service, waits, lambda: duration_s(lambda: read(client), at_once=20)) == 0


@pytest.mark.postgres
@pytest.mark.redis
def test_open_transaction__is_one_of_reads_too(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "FAULTS": "open_transaction=3s"}
    reset(settings)
    with started_service(settings, tmp_path) as service, ThreadPoolExecutor() as threads:
        client = Client(service)
        future = threads.submit(read, client)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            most = 0
            while not future.done():
                most = max(most, connection.execute(query).fetchone()[0])
                time.sleep(0.05)
        assert most == 1


def test_n_plus_one__sends_statements_for_each_row(backend: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**backend, "FAULTS": "n_plus_one=3"}, tmp_path) as service:
        client = Client(service)
        for path in ("/api/v1/approvals?limit=120", "/api/v1/deployments?limit=120"):
            sent = grown(service, "reference_db_statements_total", lambda path=path: client.get(path))
            assert sent == 1 + 3 * 120


def test_extra_cpu__burns_cpu_for_each_request(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**embedded, "FAULTS": "extra_cpu=50ms"}, tmp_path) as service:
        client = Client(service)
        burnt_s = grown(service, "process_cpu_seconds_total", lambda: [read(client) for _ in range(10)])
        assert burnt_s >= 0.5


def test_lock_contention__lets_one_writer_at_a_time_pass_and_spares_readers(
    backend: Mapping[str, str], tmp_path: Path
) -> None:
    with started_service({**backend, "FAULTS": "lock_contention=100ms"}, tmp_path) as service:
        client = Client(service)
        assert duration_s(lambda: create(client), at_once=5) >= 0.5
        assert is_answered_beside(lambda: read(client), lambda: create(client), at_once=10)


def test_throttle__refuses_with_retry_after(backend: Mapping[str, str], tmp_path: Path) -> None:
    reset(backend)
    with started_service({**backend, "FAULTS": "throttle=3/m"}, tmp_path) as service:
        client = Client(service)
        replies = [read(client) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
        assert int(replies[-1].headers["Retry-After"]) >= 1


def test_login_broken__refuses_the_right_password(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**embedded, "FAULTS": "login_broken"}, tmp_path) as service:
        credentials = {"username": "user-0001", "password": PASSWORD}
        reply = Client(service, user=None).post("/api/v1/login", credentials)
        assert (reply.status_code, reply.json()["error"]) == (401, "bad_credentials")


def test_routes_missing__answers_404_but_lets_sign_in(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**embedded, "FAULTS": "routes_missing"}, tmp_path) as service:
        client = Client(service)
        assert (create(client).status_code, read(client).status_code) == (404, 404)


def test_slow_start__is_not_ready_until_then(embedded: Mapping[str, str], tmp_path: Path) -> None:
    reset(embedded)
    with started_service({**embedded, "FAULTS": "slow_start=3s"}, tmp_path, health={503}) as service:
        assert requests.get(f"{service.url}/healthz", timeout=10).status_code == 503
        assert requests.post(f"{service.url}/api/v1/login", json={}, timeout=10).status_code == 503
        await_health(service.url, service.process, statuses={200})
        assert read(Client(service)).status_code == 200


def test_crash_after__ends_the_process_hard(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service({**embedded, "FAULTS": "crash_after=3"}, tmp_path) as service:
        client = Client(service)
        assert [read(client).status_code for _ in range(2)] == [200, 200]
        with pytest.raises(requests.ConnectionError):
            read(client)
        assert service.process.wait(timeout=30) == CRASH_EXIT_CODE


def test_debug_error_pages__answer_a_share_with_html(embedded: Mapping[str, str], tmp_path: Path) -> None:
    with started_service(embedded, tmp_path) as service:
        Client(service)
    with started_service({**embedded, "FAULTS": "debug_error_pages=50%"}, tmp_path) as service:
        anonymous = Client(service, user=None)
        replies = [read(anonymous) for _ in range(60)]
        pages = [reply for reply in replies if reply.status_code == 500]
        assert 15 <= len(pages) <= 45
        assert {reply.status_code for reply in replies} == {500, 401}
        assert all(90_000 < len(page.content) < 130_000 for page in pages)
        assert all(page.headers["content-type"].startswith("text/html") for page in pages)


def test_slow_dependency__delays_posts_without_holding_a_connection(
    embedded: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**embedded, "FAULTS": "slow_dependency=1s", "POOL_SIZE": "1", "POOL_TIMEOUT_S": "5"}
    with started_service(settings, tmp_path) as service:
        client = Client(service)
        assert duration_s(lambda: create(client), at_once=10) >= 1
        assert is_answered_beside(lambda: read(client), lambda: create(client), at_once=1)
        # Ten that held the one connection for a second each would not all have got it within five.
        assert service.metrics()["reference_db_pool_timeouts_total"] == 0
