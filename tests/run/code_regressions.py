"""A small service in two files, and changes of it that make one function of it slower."""

from __future__ import annotations

from dataclasses import dataclass

from tests.conftest import Repository
from tests.repositories import commit_base

SERVICE = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import shop


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        body = shop.answer(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

SHOP = """
import functools
import hashlib
import json
import logging
import re
import threading
import time

LOG = logging.getLogger("shop")
LOG.addHandler(logging.NullHandler())
LOG.setLevel(logging.INFO)
LOCK = threading.Lock()
ROWS = 60
SEEN = {}


def answer(path):
    rows = load_rows()
    score = risk_score(rows)
    check_name("customer-0815-of-the-north")
    count_visit(path)
    report(rows)
    ordered = rank(rows)
    return render(ordered, score + discount(len(path)), sign(path))


def load_rows():
    return [{"id": number, "name": f"row {number}", "size": number * 7 % 13} for number in range(ROWS)]


def risk_score(rows):
    score = 0
    for row in rows:
        score = (score * 31 + row["size"]) % 1009
    return score


def check_name(name):
    return re.fullmatch(r"[a-z0-9-]+", name) is not None


def count_visit(path):
    with LOCK:
        SEEN[path] = SEEN.get(path, 0) + 1


def report(rows):
    LOG.debug("%s rows", len(rows))


def rank(rows):
    return sorted(rows, key=lambda row: row["size"])


@functools.cache
def discount(size):
    return sum(number * number % 7 for number in range(60_000)) % 100 + size


def sign(path):
    return hashlib.sha256(path.encode()).hexdigest()


def render(rows, score, signature):
    return json.dumps({"rows": rows, "score": score, "signature": signature}).encode()
"""

THRESHOLDS = """
schema: 1
service:
  command: python service.py {port}
compare: {max_duration: 30s, confirm: false}
profiles:
  pull_request: {duration: 10s, warmup: 1s}
scenarios:
  visits:
    locustfile: visits.py
    users: {Visitor: 8}
    spawn_rate: 8
    compare_load: 100%
    relax: {generator-late: the machine that runs the tests has other work}
    limits:
      all: {p50: 5s}
    regression: {p50: 10%, cpu: 10%}
"""

LOCUSTFILE = """
from locust import HttpUser, constant_pacing, task


class Visitor(HttpUser):
    wait_time = constant_pacing(0.2)

    @task
    def visit(self):
        self.client.get("/")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """``old`` in shop.py becomes ``new``, and the time is then in ``function``."""

    name: str
    old: str
    new: str
    function: str


REGRESSIONS = (
    Regression(
        name="a loop in the risk score",
        old="    for row in rows:\n",
        new="    for row in rows * 400:\n",
        function="risk_score",
    ),
    Regression(
        name="a slower hash",
        old="hashlib.sha256(path.encode()).hexdigest()",
        new='hashlib.pbkdf2_hmac("sha256", path.encode(), b"salt", 8_000).hex()',
        function="sign",
    ),
    Regression(
        name="a regex that goes back",
        old='r"[a-z0-9-]+", name) is not None',
        new='r"(?:[a-z0-9-]{1,9}){1,6}!", name) is not None',
        function="check_name",
    ),
    Regression(
        name="a lock that is held",
        old="    with LOCK:\n",
        new="    with LOCK:\n        time.sleep(0.012)\n",
        function="count_visit",
    ),
    Regression(
        name="a sleep in blocking code",
        old='    return [{"id"',
        new='    time.sleep(0.02)\n    return [{"id"',
        function="load_rows",
    ),
    Regression(
        name="rows that are serialised once more each",
        old='    return json.dumps({"rows"',
        new='    rows = [json.loads(json.dumps(rows))[0] for _ in rows]\n    return json.dumps({"rows"',
        function="render",
    ),
    Regression(name="a cache that is gone", old="@functools.cache\n", new="", function="discount"),
    Regression(
        name="a larger payload",
        old='json.dumps({"rows": rows,',
        new='json.dumps({"rows": rows * 60,',
        function="render",
    ),
    Regression(
        name="a log line for each row",
        old='    LOG.debug("%s rows", len(rows))',
        new='    for row in rows * 8:\n        LOG.warning("row %s of %s", row, len(rows))',
        function="report",
    ),
    Regression(
        name="a sort of one's own",
        old='    return sorted(rows, key=lambda row: row["size"])',
        new=(
            "    rows = list(rows) * 3\n"
            "    for _ in rows:\n"
            "        for at in range(len(rows) - 1):\n"
            '            if rows[at]["size"] > rows[at + 1]["size"]:\n'
            "                rows[at], rows[at + 1] = rows[at + 1], rows[at]\n"
            "    return rows[::3]"
        ),
        function="rank",
    ),
)


def write_versions(repository: Repository, regression: Regression | None) -> None:
    """Commits the service as base, and puts the regression into what lies there as head."""
    repository.write("service.py", SERVICE)
    repository.write("shop.py", SHOP)
    repository.write("visits.py", LOCUSTFILE)
    repository.write("thresholds.yaml", THRESHOLDS)
    commit_base(repository.folder)
    if regression:
        repository.edit("shop.py", regression.old, regression.new)
