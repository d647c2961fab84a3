"""What each endpoint does, over real HTTP, on both kinds of storage."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
import requests

from tests.reference.processes import PASSWORD, Client, RunningService

SAFE = {"application": "editor", "version": "1.0", "ring": "canary", "device_count": 10}
RISKY = {"application": "editor", "version": "2.0", "ring": "global", "device_count": 50_000}
PLANES = ("intune", "jamf", "sccm", "landscape", "ansible")


def first_pending(client: Client) -> int:
    return client.get("/api/v1/approvals?limit=1").json()["items"][0]["id"]


def test_health__is_ready(service: RunningService) -> None:
    reply = requests.get(f"{service.url}/healthz", timeout=10)
    assert (reply.status_code, reply.json()) == (200, {"status": "ready"})


@pytest.mark.parametrize(
    ("username", "password", "status"),
    [
        ("user-0001", PASSWORD, 200),
        ("user-0001", "wrong", 401),
        ("nobody", PASSWORD, 401),
        ("", PASSWORD, 422),
    ],
)
def test_login__tells_right_from_wrong(
    service: RunningService, username: str, password: str, status: int
) -> None:
    reply = Client(service, user=None).post("/api/v1/login", {"username": username, "password": password})
    assert reply.status_code == status
    assert ("token" in reply.json()) == (status == 200)


def test_login__gives_another_token_each_time(service: RunningService) -> None:
    credentials = {"username": "user-0001", "password": PASSWORD}
    client = Client(service, user=None)
    tokens = {client.post("/api/v1/login", credentials).json()["token"] for _ in range(3)}
    assert len(tokens) == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/deployments"),
        ("GET", "/api/v1/deployments"),
        ("GET", "/api/v1/deployments/1"),
        ("GET", "/api/v1/approvals"),
        ("POST", "/api/v1/approvals/1/approve"),
        ("POST", "/api/v1/approvals/1/reject"),
        ("POST", "/api/v1/connectors/intune/publish"),
        ("GET", "/api/v1/connectors/intune/status"),
        ("POST", "/api/v1/connectors/intune/remediate"),
    ],
)
@pytest.mark.parametrize("authorization", ["", "Bearer unknown", "Basic dTpw"])
def test_endpoint__needs_a_session(
    service: RunningService, method: str, path: str, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    reply = requests.request(method, service.url + path, headers=headers, json={}, timeout=10)
    assert (reply.status_code, reply.json()["error"]) == (401, "no_session")


def test_create_deployment__approves_low_risk_at_once(client: Client) -> None:
    reply = client.post("/api/v1/deployments", SAFE)
    assert reply.status_code == HTTPStatus.CREATED
    created = reply.json()
    assert (created["risk_score"], created["status"], created["approval_id"]) == (0, "approved", None)
    found = client.get(f"/api/v1/deployments/{created['id']}").json()
    assert found.items() <= created.items()
    assert found["created_by"] == "user-0001"


def test_create_deployment__queues_high_risk_for_a_board(client: Client) -> None:
    created = client.post("/api/v1/deployments", RISKY).json()
    assert (created["risk_score"], created["status"]) == (70, "pending")
    decided = client.post(f"/api/v1/approvals/{created['approval_id']}/approve")
    assert decided.json()["deployment_id"] == created["id"]
    assert client.get(f"/api/v1/deployments/{created['id']}").json()["status"] == "approved"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**SAFE, "ring": "outer space"}, 422),
        ({**SAFE, "device_count": 0}, 422),
        ({**SAFE, "colour": "red"}, 422),
        ({}, 422),
    ],
)
def test_create_deployment__refuses_what_does_not_fit(client: Client, body: object, status: int) -> None:
    reply = client.post("/api/v1/deployments", body)
    assert (reply.status_code, reply.json()["error"]) == (status, "invalid_body")


def test_list_deployments__newest_first_in_one_status(client: Client) -> None:
    ids = [client.post("/api/v1/deployments", body).json()["id"] for body in (SAFE, RISKY, SAFE)]
    newest = client.get("/api/v1/deployments?limit=3").json()["items"]
    assert [item["id"] for item in newest] == ids[::-1]
    approved = client.get("/api/v1/deployments?status=approved&limit=2").json()["items"]
    assert [item["id"] for item in approved] == [ids[2], ids[0]]


@pytest.mark.parametrize("path", ["/api/v1/deployments", "/api/v1/approvals"])
@pytest.mark.parametrize(
    ("limit", "status"), [("200", 200), ("201", 422), ("0", 422), ("ten", 422), ("\u0661", 422)]
)
def test_list__bounds_its_page(client: Client, path: str, limit: str, status: int) -> None:
    assert client.get(f"{path}?limit={limit}").status_code == status


@pytest.mark.parametrize("path", ["/api/v1/deployments/999999999", "/api/v1/deployments/2147483647"])
def test_get_deployment__unknown_is_404(client: Client, path: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


def test_get_deployment__id_that_is_no_number_is_422(client: Client) -> None:
    assert client.get("/api/v1/deployments/9999999999999").status_code == 422


def test_pending__lists_more_than_a_hundred_of_each_board(client: Client) -> None:
    for board in (1, 25):
        items = client.get(f"/api/v1/approvals?board={board}&limit=120").json()["items"]
        assert len(items) == 120
        assert {item["board"] for item in items} == {board}
        assert all(item["risk_score"] > 50 for item in items)
    assert client.get("/api/v1/approvals?board=26").status_code == 422


@pytest.mark.parametrize(
    ("action", "outcome", "second"), [("approve", "approved", "reject"), ("reject", "rejected", "approve")]
)
def test_decide__only_once(client: Client, action: str, outcome: str, second: str) -> None:
    approval = first_pending(client)
    decided = client.post(f"/api/v1/approvals/{approval}/{action}")
    assert decided.status_code == 200
    assert (decided.json()["status"], decided.json()["decided_by"]) == (outcome, "user-0001")
    deployment = decided.json()["deployment_id"]
    for again in (action, second):
        refused = client.post(f"/api/v1/approvals/{approval}/{again}")
        assert (refused.status_code, refused.json()["error"]) == (409, "already_decided")
    assert client.get(f"/api/v1/deployments/{deployment}").json()["status"] == outcome
    assert approval not in {item["id"] for item in client.get("/api/v1/approvals?limit=200").json()["items"]}


def test_decide__unknown_is_404(client: Client) -> None:
    assert client.post("/api/v1/approvals/999999999/approve").status_code == 404


def test_decide__one_of_many_at_once_wins(service: RunningService, client: Client) -> None:
    rivals = [Client(service, user=f"user-{n:04}") for n in range(8)]
    for _ in range(5):
        approval = first_pending(client)
        paths = [f"/api/v1/approvals/{approval}/{action}" for action in ("approve", "reject")]
        with ThreadPoolExecutor(16) as threads:
            futures = [threads.submit(rival.post, path) for rival in rivals for path in paths]
            replies = [future.result() for future in futures]
        assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 15}
        (winner,) = (reply.json() for reply in replies if reply.status_code == 200)
        status = client.get(f"/api/v1/deployments/{winner['deployment_id']}").json()["status"]
        assert status == winner["status"]


@pytest.mark.parametrize("plane", PLANES)
def test_connector__publishes_shows_and_remediates(client: Client, plane: str) -> None:
    deployment = client.post("/api/v1/deployments", SAFE).json()["id"]
    reply = client.post(f"/api/v1/connectors/{plane}/publish", {"deployment_id": deployment})
    assert reply.status_code == HTTPStatus.CREATED
    published = reply.json()
    latest = {"id": published["id"], "deployment_id": deployment, "status": "published"}
    status = client.get(f"/api/v1/connectors/{plane}/status").json()
    assert (status["plane"], status["publications"][0]) == (plane, latest)
    remediated = client.post(f"/api/v1/connectors/{plane}/remediate", {"publication_id": published["id"]})
    assert remediated.json()["status"] == "remediated"
    status = client.get(f"/api/v1/connectors/{plane}/status").json()
    assert status["publications"][0] == {**latest, "status": "remediated"}


@pytest.mark.parametrize(
    ("action", "body"),
    [("publish", {"deployment_id": 1}), ("remediate", {"publication_id": 1}), ("status", None)],
)
def test_connector__unknown_plane_is_404(client: Client, action: str, body: object) -> None:
    path = f"/api/v1/connectors/paper/{action}"
    reply = client.get(path) if body is None else client.post(path, body)
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


def test_connector__publishes_only_what_exists_and_is_approved(client: Client) -> None:
    pending = client.post("/api/v1/deployments", RISKY).json()["id"]
    refused = client.post("/api/v1/connectors/jamf/publish", {"deployment_id": pending})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_approved")
    missing = client.post("/api/v1/connectors/jamf/publish", {"deployment_id": 999_999_999})
    assert missing.status_code == 404


def test_connector__remediates_only_on_its_own_plane(client: Client) -> None:
    published = client.get("/api/v1/connectors/sccm/status").json()["publications"][0]["id"]
    reply = client.post("/api/v1/connectors/jamf/remediate", {"publication_id": published})
    assert reply.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/no/such/route", b"", 404, "not_found"),
        ("DELETE", "/api/v1/deployments", b"", 405, "method_not_allowed"),
        ("POST", "/api/v1/login", b"{", 400, "malformed_json"),
        ("POST", "/api/v1/login", b"\xff", 400, "malformed_json"),
        ("POST", "/api/v1/login", b" " * 70_000, 413, "body_too_large"),
    ],
)
def test_error__is_json(
    service: RunningService, method: str, path: str, body: bytes, status: int, error: str
) -> None:
    reply = requests.request(method, service.url + path, data=body, timeout=10)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["error"] == error


def test_metrics__count_requests_and_statements(service: RunningService, client: Client) -> None:
    before = service.metrics()
    for _ in range(3):
        client.get("/api/v1/deployments/1")
    client.get("/api/v1/deployments/999999999")
    requests.get(f"{service.url}/no/such/route", timeout=10)
    after = service.metrics()

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown("reference_requests_total{GET /api/v1/deployments/{id},200}") == 3
    assert grown("reference_requests_total{GET /api/v1/deployments/{id},404}") == 1
    assert grown("reference_requests_total{other,404}") == 1
    assert grown("reference_request_seconds_count{GET /api/v1/deployments/{id}}") == 4
    assert grown("reference_db_statements_total") == 4
    assert (after["reference_db_pool_size"], after["reference_db_pool_in_use"]) == (5, 0)
    assert after["process_resident_memory_bytes"] > 1e6
