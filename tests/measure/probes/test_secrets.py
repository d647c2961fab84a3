from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.measure.probes.secrets import redact

PASSWORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=6, max_size=20)


@given(PASSWORDS, st.sampled_from(["postgresql", "redis"]), st.booleans())
def test_url__its_password_is_in_no_error(password, scheme, is_quoted):
    written = quote(password, safe="") if is_quoted else password
    url = f"{scheme}://clerk:{written}@db.example/shop"
    for text in (url, f"cannot parse {url}", f"password {password} is wrong", f"invalid port: {written}@db"):
        shown = redact(text, url)
        assert password not in shown
        assert written not in shown


@pytest.mark.parametrize(
    "secret",
    [
        "host=db user=clerk password=tell-nobody dbname=shop",
        "host=db password = 'tell-nobody' user=clerk",
        "postgresql://db/shop?user=clerk&password=tell-nobody",
        "postgresql://db/shop?sslpassword=tell-nobody",
        "redis://:tell-nobody@db:6379/0",
    ],
)
def test_other_forms__their_password_is_in_no_error(secret):
    shown = redact(f'invalid "tell-nobody" in "{secret}"', secret)
    assert "tell-nobody" not in shown
    assert shown.startswith("invalid")


def test_error__is_one_short_line():
    assert (
        redact("connection failed\n\tIs the server running?", "")
        == "connection failed Is the server running?"
    )
    assert len(redact("x" * 1000, "")) == 300


def test_url_without_password__leaves_the_error_as_it_is():
    url = "postgresql://clerk@127.0.0.1:5432/shop?connect_timeout=3"
    assert redact("connection to 127.0.0.1:5432 as clerk failed: 3", url).endswith("as clerk failed: 3")
