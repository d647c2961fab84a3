from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ci_gate.errors import ServiceError
from ci_gate.service.ready import await_ready, probe_http
from tests.servers import free_port
from tests.service.services import APP


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def wait(clock: FakeClock, ready_at: float, ended_at: float = 1e9, timeout_s: float = 10) -> float:
    def probe(timeout_s: float) -> str | None:
        assert 0 < timeout_s <= 3
        clock.now += 0.01
        return None if clock.now - 1000 >= ready_at else "answered 503"

    def ended() -> str | None:
        return "exit status 3" if clock.now - 1000 >= ended_at else None

    return await_ready(probe, ended, timeout_s=timeout_s, clock=clock)


def test_await_ready__returns_how_long_it_took():
    assert wait(FakeClock(), ready_at=2) == pytest.approx(2, abs=0.3)


def test_await_ready__gives_up_after_the_timeout_with_the_last_reason():
    clock = FakeClock()
    with pytest.raises(ServiceError, match=r"^the service was not ready after 10 s: answered 503$"):
        wait(clock, ready_at=100)
    assert clock.now - 1000 == pytest.approx(10, abs=0.1)


def test_await_ready__fails_at_once_when_the_service_has_ended():
    clock = FakeClock()
    with pytest.raises(ServiceError, match=r"ended before it was ready: exit status 3$"):
        wait(clock, ready_at=100, ended_at=1)
    assert clock.now - 1000 < 1.5


def test_await_ready__is_not_fooled_by_another_program_on_the_port():
    with pytest.raises(ServiceError, match="ended before it was ready"):
        wait(FakeClock(), ready_at=0, ended_at=0)


def test_await_ready__takes_many_good_answers_in_a_row():
    clock, answers = (
        FakeClock(),
        iter([*[None] * 9, "answered 503", *[None] * 9, "answered 503", *[None] * 10]),
    )
    await_ready(lambda _timeout_s: next(answers), lambda: None, timeout_s=10, clock=clock)
    assert not list(answers)


@pytest.mark.parametrize("answer_s", [0.9, 2.4, 2.9])
def test_await_ready__a_service_that_answers_slowly_is_ready_in_time(answer_s):
    clock = FakeClock()

    def probe(timeout_s):
        clock.now += min(answer_s, timeout_s)
        return None if answer_s <= timeout_s else "no answer in time"

    assert await_ready(probe, lambda: None, timeout_s=5, clock=clock) >= 5


WORKERS = """
import http.server, os, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if time.monotonic() >= ready_at else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
with socketserver.TCPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    ready_at = time.monotonic() + (1.5 if os.fork() else 0)
    server.serve_forever()
"""


def test_await_ready__of_two_processes_that_share_a_port_both_are_ready(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with subprocess.Popen([sys.executable, "-c", WORKERS, str(port)], start_new_session=True) as process:
        try:
            await_ready(lambda timeout_s: probe_http(url, timeout_s), lambda: None, timeout_s=30, clock=time)
            assert [probe_http(url, 3) for _ in range(50)] == [None] * 50
        finally:
            os.killpg(process.pid, signal.SIGKILL)


class Server:
    """The app, run once: calling it starts it and returns its URL."""

    def __call__(self, *arguments: str) -> str:
        port = free_port()
        words = [sys.executable, str(APP), "--port", str(port), *arguments]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.process.stdout.readline().startswith(b"listening")
        return f"http://127.0.0.1:{port}/healthz"

    def printed(self) -> bytes:
        self.process.kill()
        return self.process.communicate()[0]


@pytest.fixture
def serve() -> Iterator[Server]:
    server = Server()
    yield server
    if server.process.poll() is None:
        server.printed()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("200 OK", None), ("204 No Content", None), ("302 Found", None), ("399 Odd", None)]
    + [(status, f"answered {status}") for status in ("400", "404", "503")],
)
def test_probe_http__is_content_below_400(serve, status, expected):
    url = serve("--status", status, "--body-bytes", "0")
    assert probe_http(url, 3) == (expected and f"GET {url} {expected}")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("close", "the connection was closed without an answer"),
        ("nonsense", "the answer is not HTTP"),
        ("silence", "no answer in time"),
        ("drip", "no answer in time"),
    ],
)
def test_probe_http__says_what_is_wrong(serve, answer, reason):
    url = serve("--answer", answer)
    started = time.monotonic()
    assert probe_http(url, 0.7) == f"GET {url}: {reason}"
    assert time.monotonic() - started < 10  # "drip" never ends


def test_probe_http__says_that_nothing_listens():
    url = f"http://127.0.0.1:{free_port()}/"
    assert probe_http(url, 1) == f"GET {url}: nothing listens there yet"


def test_probe_http__does_not_download_a_body_of_100_megabytes(serve):
    url = serve("--body-bytes", "100000000")
    assert probe_http(url, 3) is None
    # The next answer is sent only when the service has given up on the first.
    assert probe_http(url, 3) is None
    assert b"sent all" not in serve.printed()


def test_probe_http__lets_a_small_body_end_in_peace(serve):
    url = serve("--body-bytes", "60000")
    assert probe_http(url, 3) is None
    assert probe_http(url, 3) is None
    assert b"sent all 60000 bytes" in serve.printed()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/ x", "http://no-such-host.invalid/", "https://127.0.0.1:1/"]
)
def test_probe_http__survives_any_url(url):
    assert probe_http(url, 1).startswith(f"GET {url}: ")
