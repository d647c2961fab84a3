"""A real service that stands still for two seconds: the whole phase hides it, its worst window does not."""

from __future__ import annotations

import pytest

SERVICE = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    first_s = None

    def do_GET(self):
        now_s = time.monotonic()
        if self.path == "/ok" and Handler.first_s is None:
            Handler.first_s = now_s
        if 5 <= now_s - (Handler.first_s or now_s) < 7:
            time.sleep(0.6)
        body = str(now_s).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.mark.slow
def test_worst_window__breaks_where_the_whole_phase_keeps_the_same_limit(repository, call, tmp_path):
    repository.write("service.py", SERVICE)
    repository.edit("thresholds.yaml", "users: {Visitor: 5}", "users: {Visitor: 10}")
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 12s, warmup: 0s}")
    limits = "all: {p50: 500ms, worst: {p50: 500ms, over: 2s}}"
    repository.edit("thresholds.yaml", "GET /ok: {p50: 500ms}", limits)
    code, text, said = call(
        "run", "--thresholds", repository.thresholds, "--out", tmp_path / "out", "--quiet"
    )
    assert code == 1, text + said
    assert "✗ all worst p50 over 2s" in text
    assert "of the phase on" in text
    assert "✓ all p50" in text

    repository.edit("thresholds.yaml", "worst: {p50: 500ms, over: 2s}", "worst: {p50: 10s, over: 2s}")
    code, text, _ = call("judge", tmp_path / "out", "--thresholds", repository.thresholds)
    assert code == 0, text
