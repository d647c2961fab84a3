"""A service that keeps something of every request, as a cache without a bound does."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEEPS_BYTES = int(os.environ.get("KEEPS_BYTES", "0"))
KEPT: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """Keeps KEEPS_BYTES of each request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        KEPT.append(os.urandom(64) * (KEEPS_BYTES // 64))
        body = b'{"names": ["name 7"]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing."""


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()  # noqa: S104 - in a container
