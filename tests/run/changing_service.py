"""The program of a real service whose replies take longer at some times of the load."""

from __future__ import annotations

import textwrap

_PROGRAM = """
import http.server, sys, time

def hold_up(since_s):
{hold_up}

class Handler(http.server.BaseHTTPRequestHandler):
    first_s = None

    def do_GET(self):
        now_s = time.monotonic()
        if self.path == "/ok" and Handler.first_s is None:
            Handler.first_s = now_s
        hold_up(now_s - (Handler.first_s or now_s))
        body = str(now_s).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.{server}(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def make_program(hold_up, server="ThreadingHTTPServer"):
    """``hold_up`` is what each reply waits for: lines of Python that know ``since_s``.

    That is how long ago the load's first request came.
    """
    return _PROGRAM.format(hold_up=textwrap.indent(textwrap.dedent(hold_up).strip(), "    "), server=server)
