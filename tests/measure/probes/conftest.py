from __future__ import annotations

import pytest

from tests.servers import running_postgres, running_redis


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
def redis_url(tmp_path):
    with running_redis(tmp_path) as url:
        yield url
