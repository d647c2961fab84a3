from __future__ import annotations

import pytest

from tests.servers import running_redis


@pytest.fixture
def redis_url(tmp_path):
    with running_redis(tmp_path) as url:
        yield url
