"""The reference service in a repository of its own, and ten changes that make one piece of it slower."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Repository
from tests.repositories import commit_base
from tests.servers import make_databases

PACKAGE = "reference_service"
ROOT = Path(__file__).parents[2]
FUTURE = "from __future__ import annotations\n"

THRESHOLDS = """
schema: 1
service:
  command: python -m reference_service.service --port {port}
  ready: /healthz
  before_each: python -m reference_service.service reset
  env:
    DATABASE_URL: POSTGRES/{side}
    REDIS_URL: CACHE
    SEED_USERS: "50"
    SEED_PENDING: "3500"
probes:
  postgres: POSTGRES/{side}
compare: {max_duration: 30s, confirm: false}
profiles:
  pull_request: {duration: 5s, warmup: 3s}
scenarios:
  work:
    locustfile: reference_service/scenarios/work.py
    users: {Worker: 16}
    spawn_rate: 8
    compare_load: 100%
    relax:
      generator-late: the machine that runs the tests has other work
      machine-taken: the code is asked, and not the verdict
    limits:
      all: {p50: 5s}
    regression: {p50: 10%}
"""

# Every part of the API as often as any other, sign-ins, too: a change is in one reply of five or of two.
LOCUSTFILE = """
import random
from http import HTTPStatus

from locust import constant_pacing, task

from drafts import draw_draft
from signed_in import SEED_PASSWORD, SignedInUser


class Worker(SignedInUser):
    wait_time = constant_pacing(0.4)

    def on_start(self):
        super().on_start()
        self.board = self.number % 25 + 1

    @task
    def sign_in_again(self):
        self.client.post("/api/v1/login", json={"username": self.username, "password": SEED_PASSWORD})

    @task
    def list_approvals(self):
        self.client.get(f"/api/v1/approvals?board={self.board}&limit=120", name="/api/v1/approvals")

    @task
    def create_deployment(self):
        self.client.post("/api/v1/deployments", json=draw_draft())

    @task
    def get_deployment(self):
        wanted = random.randint(1, 3000)
        self.client.get(f"/api/v1/deployments/{wanted}", name="/api/v1/deployments/{id}")

    @task
    def read_connector(self):
        plane = random.choice(("intune", "jamf", "sccm", "landscape", "ansible"))
        self.client.get(f"/api/v1/connectors/{plane}/status", name="/api/v1/connectors/{plane}/status")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """What base and head have instead of ``text`` in a file of the service; empty is the text as it is.

    The time is then in a function, or in a statement. ``before``: what both have beside the file's imports.
    """

    name: str
    file: str
    text: str
    function: str
    statement: str = ""
    base: str = ""
    head: str = ""
    before: str = ""


REGRESSIONS = (
    Regression(
        name="a loop in the risk score",
        file="deployments.py",
        text="    reach = next(",
        head=(
            "    for devices in range(draft.device_count % 7 + 20_000):\n"
            "        risk = max(risk for least, risk in _RISK_BY_DEVICES if devices != least)\n"
            "    reach = next("
        ),
        function="score_risk",
    ),
    Regression(
        name="a slower hash",
        file="passwords.py",
        text="PasswordHasher(time_cost=1,",
        head="PasswordHasher(time_cost=4,",
        function="verify_password",
    ),
    Regression(
        name="a cache that is gone",
        file="connectors.py",
        before="_KNOWN = {}\n",
        base=(
            "    if plane not in _KNOWN:\n"
            '        found = connection.execute(_CONNECTOR, {"of_plane": plane})\n'
            "        _KNOWN[plane] = dict(found.mappings().one())\n"
            "    connector = _KNOWN[plane]\n"
        ),
        text='    connector = connection.execute(_CONNECTOR, {"of_plane": plane}).mappings().one()\n',
        function="read_status",
        statement="FROM connectors",
    ),
    Regression(
        name="replies that are serialised four times more",
        file="replies.py",
        before="import json\n",
        text="    return Response(_encode(content), status, media_type",
        head=(
            "    for _ in range(4):\n"
            "        content = json.loads(json.dumps(content, indent=2))\n"
            "    return Response(_encode(content), status, media_type"
        ),
        function="json_reply",
    ),
    Regression(
        name="a regex that goes back",
        file="admission.py",
        before="import re\n",
        text="        user = await self._sessions.find_user(token) if scheme",
        head=(
            '        re.fullmatch(r"(?:[A-Za-z0-9_-]{1,9})+!", token[:16])\n'
            "        user = await self._sessions.find_user(token) if scheme"
        ),
        function="Admission.admit_user",
    ),
    Regression(
        name="a lock that is held",
        file="deployments.py",
        before="import threading\nimport time\n_LOCK = threading.Lock()\n",
        text='    row = connection.execute(_BY_ID, {"id": deployment_id}).mappings().first()\n',
        head=(
            "    with _LOCK:\n"
            "        time.sleep(0.03)\n"
            '        row = connection.execute(_BY_ID, {"id": deployment_id}).mappings().first()\n'
        ),
        function="find_deployment",
    ),
    Regression(
        name="a sleep in blocking code",
        file="approvals.py",
        before="import time\n",
        text="    if board is None:\n        rows =",
        head="    time.sleep(0.02)\n    if board is None:\n        rows =",
        function="list_pending",
    ),
    Regression(
        name="a query in a loop",
        file="approvals.py",
        before="from reference_service.deployments import find_deployment\n",
        text="    return [dict(row) for row in rows.mappings()]",
        head=(
            "    found = [dict(row) for row in rows.mappings()]\n"
            "    for row in found:\n"
            '        row["deployment"] = find_deployment(connection, row["deployment_id"])\n'
            "    return found"
        ),
        function="find_deployment",
        statement="FROM deployments",
    ),
    Regression(
        name="a larger payload",
        file="approvals.py",
        text="    return [dict(row) for row in rows.mappings()]",
        head=(
            '    steps = [{"step": number, "by": "nobody", "comment": "none yet"} for number in range(120)]\n'
            '    return [{**row, "history": [dict(step) for step in steps]} for row in rows.mappings()]'
        ),
        function="list_pending",
    ),
    Regression(
        name="a log line for each row",
        file="approvals.py",
        before='import logging\nLOG = logging.getLogger("approvals")\n',
        text="    return [dict(row) for row in rows.mappings()]",
        head=(
            "    found = [dict(row) for row in rows.mappings()]\n"
            "    for row in found:\n"
            '        LOG.warning("pending: %s", row)\n'
            "    return found"
        ),
        function="list_pending",
    ),
)


def write_versions(
    repository: Repository, regression: Regression | None, postgres_url: str, redis_url: str
) -> None:
    """Commits the service as base, puts the regression into what lies there as head; fresh databases."""
    package = repository.folder / PACKAGE
    shutil.copytree(ROOT / PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    text = THRESHOLDS.replace("POSTGRES", make_databases(postgres_url)).replace("CACHE", redis_url)
    repository.write("thresholds.yaml", text)
    repository.write(f"{PACKAGE}/scenarios/work.py", LOCUSTFILE)
    if regression:
        file = f"{PACKAGE}/{regression.file}"
        repository.edit(file, FUTURE, FUTURE + regression.before)
        base, head = regression.base or regression.text, regression.head or regression.text
        repository.edit(file, regression.text, base)
    commit_base(repository.folder)
    if regression:
        repository.edit(file, base, head)
