"""A small real web site for tests: one path per behaviour, in a thread of the test process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<!DOCTYPE html><html><body>an error page</body></html>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a reply in one packet: in two, the second waits 40 ms for the client's kernel
    disable_nagle_algorithm = True

    def do_GET(self):  # noqa: C901 - one case for each path
        path = self.path.partition("?")[0]
        match path.strip("/").split("/"):
            case ["status", code, *_]:
                self.reply(int(code), b'{"error": "as asked"}')
            case ["throttled"]:
                self.reply(429, b"{}", {"Retry-After": "1"})
            case ["html" | "page" as kind, *names]:
                self.reply(500 if kind == "html" else 200, HTML + "".join(names[:1]).encode())
            case ["sleep", seconds]:
                time.sleep(float(seconds))
                self.reply(200, b'{"slept": true}')
            case ["to", *_]:
                self.reply(302, b"", {"Location": self.path.removeprefix("/to/")})
            case ["members", *_]:
                self.reply(302, b"", {"Location": f"/login?next={path}"})
            case ["login"]:
                self.reply(200, b'{"sign in": "please"}')
            case ["slash"] if not path.endswith("/"):
                self.reply(301, b"", {"Location": "/slash/"})
            case ["hang"]:
                self.server.released.wait(60)
            case ["close"]:
                self.close_connection = True
            case ["size", count]:
                self.reply(200, b"x" * int(count))
            case _:
                self.reply(200, b'{"ok": true}')

    do_POST = do_GET  # noqa: N815 - the name is the base class's

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_args):
        pass  # a client that is killed in the middle of a reply is what some tests are about


@contextlib.contextmanager
def running_site() -> Iterator[str]:
    """Yields its URL."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.released = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
