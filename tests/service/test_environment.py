from __future__ import annotations

from dataclasses import replace

import pytest

from ci_gate.errors import BadInputError
from ci_gate.service.environment import Placeholders, ServiceContext, expand_env, expand_variables, reset_env
from tests.service.services import make_service

INSIDE = Placeholders(port=8123, url="http://127.0.0.1:8123", state="/var/state", side="base")


def expand(placement: ServiceContext, value: str, **environ: str) -> str:
    service = make_service("command", "serve", env=(("KEY", value),))
    return expand_env(service, replace(placement, environ=environ), INSIDE)["KEY"]


@pytest.mark.parametrize(
    ("value", "environ", "expected"),
    [
        ("plain", {}, "plain"),
        ("", {}, ""),
        ("{port} {url} {state} {side}", {}, "8123 http://127.0.0.1:8123 /var/state base"),
        ("redis://localhost/{side_index}", {}, "redis://localhost/0"),
        ('{"json": {"port": 1}}', {}, '{"json": {"port": 1}}'),
        ("{other}", {}, "{other}"),
        ("${A}", {"A": "1"}, "1"),
        ("x${A}y${B}z", {"A": "1", "B": "2"}, "x1y2z"),
        ("${A}", {"A": ""}, ""),
        ("${A:-default}", {}, "default"),
        ("${A:-default}", {"A": ""}, "default"),
        ("${A:-default}", {"A": "set"}, "set"),
        ("${A:-}", {}, ""),
        ("${A:-sqlite:///{state}/x.db}", {}, "sqlite:////var/state/x.db"),
        ("${A:-ignored}", {"A": "postgresql://localhost/app_{side}"}, "postgresql://localhost/app_base"),
        ("${port}", {"port": "a variable"}, "a variable"),
        ("$A and $5", {"A": "1"}, "$A and $5"),
        ("${A}", {"A": "${B}", "B": "never twice"}, "${B}"),
    ],
)
def test_expand_env__resolves(placement, value, environ, expected):
    assert expand(placement, value, **environ) == expected


def test_expand_env__names_the_missing_variable_and_where(placement):
    with pytest.raises(BadInputError) as caught:
        expand(placement, "${SECRET_URL}", OTHER="hidden")
    assert str(caught.value) == (
        "thresholds.yaml:3:1: service.env.KEY: the environment variable SECRET_URL is not set"
        " (allowed: set it, or give a default: ${SECRET_URL:-...})"
    )


@pytest.mark.parametrize("value", ["${1A}", "${}", "${A", "${A:default}", "${A B}"])
def test_expand_env__refuses_what_is_no_variable(placement, value):
    with pytest.raises(BadInputError, match="is no variable"):
        expand(placement, value, A="1")


def test_expand_variables__names_the_key(placement):
    with pytest.raises(BadInputError, match=r"service\.url: the environment variable NOT_SET_ANYWHERE"):
        expand_variables(
            "${NOT_SET_ANYWHERE}", at=make_service("url", "").at, placement=placement, where="service.url"
        )


def test_reset_env__tells_where_the_service_is():
    assert reset_env(INSIDE) == {
        "CI_GATE_URL": "http://127.0.0.1:8123",
        "CI_GATE_PORT": "8123",
        "CI_GATE_STATE": "/var/state",
        "CI_GATE_SIDE": "base",
    }


def test_placement__does_not_show_the_environment(placement):
    assert "hidden" not in repr(replace(placement, environ={"TOKEN": "hidden"}))
