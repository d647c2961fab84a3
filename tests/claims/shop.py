"""The service that the mistakes are made against: ``shop.py PORT``. Quick, small, and true to its word."""

from __future__ import annotations

import itertools
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ITEMS = 120
PENDING = 17
MISSING = (
    b"<!DOCTYPE html><html><body><h1>Page not found</h1>" + b"<p>nothing here</p>" * 250 + b"</body></html>"
)


class Shop(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.numbers = itertools.count()
        self.strangers = itertools.count()
        self.signed_in: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Shop

    def do_GET(self) -> None:
        match self.path.split("/")[1:]:
            case ["items"]:
                self.reply(200, {"items": list(range(ITEMS))})
            case ["items", number]:
                self.reply(200, {"id": number, "read": next(self.server.numbers)})
            case ["approvals"]:
                self.reply(200, {"items": list(range(PENDING)), "read": next(self.server.numbers)})
            case ["limited"] if self.headers["Authorization"] or next(self.server.strangers) % 2:
                self.reply(200, {"read": next(self.server.numbers)})
            case ["limited"]:
                self.reply(429, {"error": "slow down"}, {"Retry-After": "1"})
            case ["flaky"]:
                number = next(self.server.numbers)
                self.reply(500 if number % 3 == 0 else 200, {"read": number})
            case _:
                self.reply(404, MISSING)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        match self.path.split("/")[1:]:
            case ["login", "nobody"]:
                self.reply(401, {"error": "wrong password"})
            case ["login", "once", name] if name in self.server.signed_in:
                self.reply(429, {"error": "one sign-in a day"}, {"Retry-After": "86400"})
            case ["login", *name]:
                self.server.signed_in.add(name[-1])
                self.reply(200, {"token": "secret", "number": next(self.server.numbers)})
            case ["reset"]:
                self.server.signed_in.clear()
                self.reply(200, {})
            case _:
                self.reply(404, MISSING)

    def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    with Shop(int(sys.argv[1])) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)
