from __future__ import annotations

import pytest

from ci_gate.addresses import credentials_of, find_secrets, hide_credentials, hide_secrets, server_of
from ci_gate.errors import BadInputError, OutsideError, Problem, ServiceError


@pytest.mark.parametrize(
    "url",
    [
        "http://Shop.Example/items",
        "HTTP://SHOP.EXAMPLE:80",
        "https://shop.example:443/",
        "http://user:pass@shop.example",
        "http://shop.example./",
        "https://shop.example/?next=//other.example",
    ],
)
def test_server__is_the_same_however_it_is_written(url):
    assert server_of(url) == "shop.example"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000/", True),
        ("http://[2001:DB8::1]/", "http://[2001:db8:0::1]:80/", True),
        ("http://bücher.example/", "http://xn--bcher-kva.example/", True),
        ("http://localhost:8000", "http://127.0.0.1:8000", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8001", False),
        ("http://shop.example:443", "http://shop.example", False),
        ("http://shop.example", "http://shop.example.evil.example", False),
        ("http://shop.example@evil.example", "http://shop.example", False),
        ("http://shop.example:8080", "https://shop.example:8443", False),
    ],
)
def test_server__two_of_them(one, other, same):
    assert (server_of(one) == server_of(other)) is same


@pytest.mark.parametrize("url", ["", "/path", "http://", "http://h:99999/", "http://[::1", "not a url"])
def test_server__of_no_url(url):
    assert server_of(url) == ""


def test_credentials__are_unquoted_and_both():
    assert credentials_of("http://me:p%40ss@h") == ("me", "p@ss")
    for url in ("http://me@h", "http://:p@h", "http://h", "http://[::1"):
        assert credentials_of(url) is None


def test_hidden__credentials_of_every_url_in_a_text():
    text = (
        "GET http://me:p%40ss@h/a?b=c@d failed; postgresql+psycopg://u:p@db:5432/x, redis://:pw@r; me@h.org"
    )
    hidden = "GET http://***@h/a?b=c@d failed; postgresql+psycopg://***@db:5432/x, redis://***@r; me@h.org"
    assert hide_credentials(text) == hidden
    assert hide_credentials(hidden) == hidden


def test_hidden__what_stands_alone():
    secrets = find_secrets(("http://me:p%40ss@h", "http://h", "http://a:b@h"))
    assert (
        hide_secrets("Basic bWU6cEBzcw== p@ss p%40ss http://x:y@h b", secrets)
        == "Basic *** *** *** http://***@h b"
    )


def test_error__no_url_in_it_has_a_password():
    problem = Problem(file="thresholds.yaml", line=1, column=1, message="service.url: http://me:pw@h:x")
    tail = "cannot connect to postgresql://me:pw@db/shop"
    for error in (
        OutsideError("http://me:pw@h"),
        ServiceError("http://me:pw@h", tail),
        BadInputError(problem),
    ):
        assert "pw" not in str(error)
        assert "***@" in str(error)
        assert "pw" not in repr(vars(error))
