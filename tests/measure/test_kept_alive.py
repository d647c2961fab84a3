"""A connection that breaks is called kept-alive where replies have come over it, and only there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ci_gate.evidence.samples import KEPT_ALIVE_CLOSED
from tests.site import running_site

# In a process of its own: it changes urllib3 for all that run in it.
CODE = """
import sys, requests
from ci_gate.measure.in_locust.kept_alive import name_closed_connections
name_closed_connections()
session = requests.Session()
for path in sys.argv[2:]:
    try:
        print(session.get(sys.argv[1] + path, timeout=5).status_code)
    except requests.ConnectionError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["/ok", "/close"], ["200", KEPT_ALIVE_CLOSED]),
        (["/close"], ["Remote end closed connection"]),
        (
            ["/ok", "/close", "/close", "/ok"],
            ["200", KEPT_ALIVE_CLOSED, "Remote end closed connection", "200"],
        ),
        (["/ok", "/status/500", "/ok"], ["200", "500", "200"]),
    ],
)
def test_broken_connection__is_kept_alive_after_a_reply(paths, says):
    with running_site() as url:
        done = subprocess.run(
            [sys.executable, "-c", CODE, url, *paths], capture_output=True, text=True, check=True, timeout=60
        )
    lines = done.stdout.splitlines()
    assert len(lines) == len(says), done.stdout
    assert all(text in line for text, line in zip(says, lines, strict=True)), lines
