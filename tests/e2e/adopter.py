"""The repository of somebody who adopts the gate: a service of its own, and one `uses:` step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.remote import Remote
from tests.github.fake_state import REPOSITORY

GATE = f"octo-org/ci-gate@{'1' * 40}"
WORKFLOW_FILE = f"octo-org/ci-gate/.github/workflows/load-gate.yml@{'1' * 40}"
COMMENT = f"octo-org/ci-gate/comment@{'1' * 40}"

WORKFLOW = """\
name: ci
on:
  pull_request:
permissions: {}
jobs:
  load-gate:
    runs-on: ubuntu-24.04
    permissions:
      actions: read
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@df4cb1c069e1874edd31b4311f1884172cec0e10 # v6.0.3
        with:
          fetch-depth: 0
          persist-credentials: false
      - name: Build
        run: echo "GREETING=from a step of the job" >> "$GITHUB_ENV"
      - id: gate
        uses: GATE
        with:
          thresholds: shop/thresholds.yaml
          requirements: shop/load/requirements.txt
          key: shop
      - if: always()
        env:
          OUTCOME: ${{ steps.gate.outputs.outcome }}
          REPORT: ${{ steps.gate.outputs.report }}
          URL: ${{ steps.gate.outputs.artifact-url }}
        run: |
          test -s "$REPORT"
          echo "outputs: $OUTCOME $URL, python: $(command -v python)"
"""
COMMENT_WORKFLOW = """\
name: comment
on:
  workflow_run:
    workflows: [ci]
    types: [completed]
permissions: {}
jobs:
  comment:
    runs-on: ubuntu-24.04
    permissions:
      actions: read
      contents: read
      pull-requests: write
    steps:
      - uses: GATE
        with:
          thresholds: shop/thresholds.yaml
          key: shop
"""
# Whoever calls the matrix workflow has an image; service containers start only where they are named.
CALLER = """\
name: ci
on:
  pull_request:
permissions: {}
jobs:
  shop:
    permissions:
      actions: read
      contents: read
      pull-requests: read
    uses: WORKFLOW
    with:
      thresholds: shop/thresholds.yaml
      key: shop
      dockerfile: docker/Dockerfile
      context: ..
      requirements: shop/load/requirements.txt
    secrets:
      service-env: |
        GREETING=from a secret
"""
DOCKERFILE = """\
FROM BASE
COPY shop/service.py /
CMD ["python3", "/service.py", "8080"]
"""
# It does not start without what a step of the job has set, nor with what is not for it to see.
SERVICE = """\
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = os.environ["GREETING"].encode()
DELAY_S = 0.0
assert not {"GITHUB_TOKEN", "GITHUB_ENV"} & {*os.environ}, "the token or the runner's files are seen"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        time.sleep(DELAY_S)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *arguments):
        pass


with ThreadingHTTPServer(("", int(sys.argv[1])), Handler) as server:
    server.serve_forever()
"""
LOCUSTFILE = """\
import tabulate  # what requirements.txt asks for
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        assert tabulate
        self.client.get("/orders")
"""
THRESHOLDS = """\
schema: 1
service:
  command: python service.py {port}
  ready: /
  port: 8080
  env: {GREETING: "${GREETING}"}
compare: {max_duration: 30s}
profiles:
  pull_request: {duration: 6s, warmup: 1s}
scenarios:
  orders:
    locustfile: load/orders.py
    users: {Visitor: 20}
    spawn_rate: 20
    limits:
      all: {p50: 250ms, failures: 1%}
    regression: {p50: 300%}
"""
FILES = {
    ".github/workflows/ci.yml": WORKFLOW.replace("GATE", GATE),
    ".github/workflows/comment.yml": COMMENT_WORKFLOW.replace("GATE", COMMENT),
    ".gitignore": "__pycache__/\n",
    "shop/service.py": SERVICE,
    "shop/thresholds.yaml": THRESHOLDS,
    "shop/load/orders.py": LOCUSTFILE,
    "shop/load/requirements.txt": "tabulate\n",
}


def calling(image: str) -> dict[str, str]:
    """The files of one that calls the matrix workflow; ``image`` is what its service is built on."""
    workflow = {".github/workflows/ci.yml": CALLER.replace("WORKFLOW", WORKFLOW_FILE)}
    return FILES | workflow | {"shop/docker/Dockerfile": DOCKERFILE.replace("BASE", image)}


class Adopter(Remote):
    """Not a copy of this repository: a monorepo that has never heard of it but for the step."""

    decisive = ("shop", ".github")

    def __init__(self, folder: Path, files: Mapping[str, str] = FILES) -> None:
        self.bare, self.checkout = folder / "remote.git", folder / "checkout"
        self.checkout.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch", "main")
        for name, text in files.items():
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text(text)
        self._git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
        self.base = self.commit("Base")
