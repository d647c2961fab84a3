from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.reference.processes import Client, RunningService, reset, started_service

EMBEDDED = pytest.param("embedded")
SERVERS = pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.redis])


@pytest.fixture(scope="module", params=[EMBEDDED, SERVERS])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Settings for SQLite and memory, then for PostgreSQL and Redis; freshly reset for each module."""
    folder = tmp_path_factory.mktemp("backend")
    if request.param == "embedded":
        settings = {"DATABASE_URL": f"sqlite:///{folder}/reference.sqlite3"}
    else:
        urls = (request.getfixturevalue("postgres_url"), request.getfixturevalue("redis_url"))
        settings = dict(zip(("DATABASE_URL", "REDIS_URL"), urls, strict=True))
    reset(settings)
    return settings


@pytest.fixture(scope="module")
def service(backend: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with started_service(backend, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: RunningService) -> Client:
    return Client(service)


@pytest.fixture
def embedded(tmp_path: Path) -> Mapping[str, str]:
    """Settings for a database of this test alone."""
    return {"DATABASE_URL": f"sqlite:///{tmp_path}/reference.sqlite3"}
