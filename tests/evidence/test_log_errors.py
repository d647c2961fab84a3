"""What of a service's log is taken for an error, whatever wrote it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.evidence.log_errors import NO_LOG_ERRORS, read_log_errors

DJANGO = """\
2026-11-26 20:00:00,123 Internal Server Error: /orders/17/
Traceback (most recent call last):
  File "/srv/db.py", line 275, in ensure_connection
    self.connect()
psycopg.OperationalError: FATAL: sorry, too many clients already

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/views.py", line 9, in get
    raise PoolTimeout("none left")
shop.pool.NoneLeft: none left
"""


UVICORN = """\
INFO:     127.0.0.1:55 - "GET /error HTTP/1.1" 500 Internal Server Error
ERROR:    Exception in ASGI application
"""
GUNICORN = """\
[2026-11-26 20:00:00 +0000] [7] [ERROR] Error handling request /a
127.0.0.1 - - "GET /failed HTTP/1.1" 500 9
"""
NODE = """\
TypeError: Cannot read properties of undefined
    at Errors.load (node:internal:5:1)
"""
GO_IN_COMPOSE = """\
web-1  | panic: assignment to entry in nil map
web-1  | \tmain.go:5 +0x1d error
"""
PINO = """\
{"level":50,"time":1,"msg":"cannot pay","err":{"type":"Error","message":"card refused"}}
{"level":30,"msg":"0 errors"}
{"level":"info","msg":"error rate 0"}
{"level":"error", broken
"""
QUIET = """\
INFO 0 errors found
2026/11/26 20:00:00 DEBUG retry after error
level=info msg=failed=0
all is well
"""
ROOT = "psycopg.OperationalError: FATAL: sorry, too many clients already"


@pytest.mark.parametrize(
    ("log", "exceptions", "others"),
    [
        (DJANGO, [ROOT, "shop.pool.NoneLeft: none left"], ["Internal Server Error: /orders/17/"]),
        (UVICORN, [], ["ERROR:    Exception in ASGI application"]),
        (GUNICORN, [], ["[7] [ERROR] Error handling request /a"]),
        (NODE, ["TypeError: Cannot read properties of undefined"], []),
        (GO_IN_COMPOSE, ["panic: assignment to entry in nil map"], []),
        (PINO, [], ["cannot pay: card refused"]),
        (QUIET, [], []),
    ],
)
def test_errors__are_found_in_what_other_programs_write(tmp_path, log, exceptions, others):
    path = tmp_path / "service.log"
    path.write_text(log, encoding="utf-8")
    found = read_log_errors(path)
    assert [text for text, _ in found.exceptions] == exceptions
    assert [text for text, _ in found.others] == others
    assert not found.is_cut


def test_errors__are_counted(tmp_path):
    path = tmp_path / "service.log"
    path.write_text(DJANGO * 3, encoding="utf-8")
    assert [times for _, times in read_log_errors(path).exceptions] == [3, 3]


def test_log__that_is_not_there_or_was_cut(tmp_path):
    path = tmp_path / "service.log"
    assert read_log_errors(path) == NO_LOG_ERRORS
    path.write_text("ERROR one\n\n[ci-gate left out 5,000 bytes here]\nERROR two\n", encoding="utf-8")
    assert read_log_errors(path).is_cut
    path.write_bytes(b"ERROR first\n" + b"ERROR \xff" * 1024**2 + b"\0" * 9 * 1024**2 + b"\nERROR last\n")
    found = read_log_errors(path)
    assert found.is_cut
    assert found.others == (("ERROR first", 1), ("ERROR last", 1))


def test_errors__that_are_all_different_are_all_counted(tmp_path):
    path = tmp_path / "service.log"
    path.write_text("".join(f"ERROR {number}\n" for number in range(400_000)), encoding="utf-8")
    found = read_log_errors(path)
    assert sum(times for _, times in found.others) == 400_000
    assert not found.is_cut


@given(st.text() | st.from_regex(re.compile(r"([\[({\"]|error|level|:| |\|){5,200}")))
def test_log__whatever_is_in_it_can_be_read(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("log") / "service.log"
    path.write_bytes(text.encode(errors="surrogatepass"))
    found = read_log_errors(path)
    for line, times in (*found.exceptions, *found.others):
        assert 0 < len(line) <= 300
        assert times
        assert all(character.isprintable() or character == "\t" for character in line)
