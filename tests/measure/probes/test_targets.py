from __future__ import annotations

from pathlib import Path

import pytest

from ci_gate.errors import BadInputError
from ci_gate.measure.probes import ProbeTargets, resolve_targets
from ci_gate.service.environment import Placeholders, ServiceContext
from ci_gate.service.log import ServiceLog
from ci_gate.service.running import RunningService
from ci_gate.thresholds import MetricsPage, Position, Probes
from tests.service.services import make_service


def resolve(side="head", environ=None, metrics=None, **addresses):
    log = Path("service.log")
    service = RunningService(
        service=make_service("command", "serve"),
        placement=ServiceContext(
            side=side, repository=Path(), state_dir=Path("state"), log_path=log, environ=environ or {}
        ),
        url="http://127.0.0.1:8123",
        runtime=None,
        log=ServiceLog(path=log, offset=0),
        inside=Placeholders(port=8123, url="http://127.0.0.1:8123", state="/var/state", side=side),
        env=(),
        ready_after_s=0.1,
    )
    written = Probes(addresses=tuple(addresses.items()), metrics=metrics, at=Position(line=7, column=1))
    return resolve_targets(written, service)


def test_targets__nothing_configured_is_nothing_probed():
    assert resolve() == ProbeTargets()


@pytest.mark.parametrize("side", ["base", "head"])
def test_targets__each_side_has_its_own(side):
    targets = resolve(
        side,
        {"DATABASE_URL": "postgresql://clerk@db/shop_{side}"},
        postgres="${DATABASE_URL:-}",
        redis="redis://127.0.0.1/{side}",
        metrics=MetricsPage(path="/metrics", metrics=(("pool_size", "shop_pool"),)),
    )
    assert targets == ProbeTargets(
        addresses={"postgres": f"postgresql://clerk@db/shop_{side}", "redis": f"redis://127.0.0.1/{side}"},
        metrics_url="http://127.0.0.1:8123/metrics",
        metrics=(("pool_size", "shop_pool"),),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("postgres://db/shop", "postgres://db/shop"),
        ("postgresql+psycopg://clerk:a@db/shop?x=a+b://c", "postgresql://clerk:a@db/shop?x=a+b://c"),
        ("host=db dbname=shop", "host=db dbname=shop"),
        ("postgresql://clerk@host.docker.internal:5432/shop", "postgresql://clerk@127.0.0.1:5432/shop"),
        (" ", ""),
    ],
)
def test_postgres__forms_of_a_connection_string(given, expected):
    assert resolve(postgres="${D}", environ={"D": given}) == ProbeTargets(
        addresses={"postgres": expected} if expected else {}
    )


@pytest.mark.parametrize(
    ("name", "address", "line"),
    [
        (
            "postgres",
            "sqlite:////tmp/shop.sqlite3",
            "probes.postgres is off: sqlite:// is none of postgres://, postgresql://",
        ),
        (
            "redis",
            "memcached://clerk:secret@cache",
            "probes.redis is off: memcached:// is none of redis://, rediss://, unix://",
        ),
    ],
)
def test_other_kind_of_server__is_off_and_said(name, address, line):
    assert resolve(**{name: "${ADDRESS:-}"}, environ={"ADDRESS": address}) == ProbeTargets(off=(line,))


def test_variable__that_is_not_set_is_a_problem_with_its_line():
    with pytest.raises(BadInputError) as caught:
        resolve(postgres="${DATABASE_URL}")
    assert str(caught.value).startswith(
        "thresholds.yaml:7:1: probes.postgres: the environment variable DATABASE_URL is not set"
    )


def test_targets__do_not_show_their_passwords():
    targets = resolve(postgres="postgresql://clerk:secret@db/shop", redis="redis://:secret@cache")
    assert "secret" not in repr(targets)
