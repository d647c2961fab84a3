"""CPU of the database's server where base and head each have one in a container (needs: {per_side: true})."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest

from ci_gate.judge.verdict import decode_verdict
from ci_gate.measure.probes.postgres import open_probe
from ci_gate.service.guard.watchdog import Watchdog
from ci_gate.service.needs import NeedsAround
from ci_gate.thresholds import Needs
from tests.conftest import LONG
from tests.e2e.images import Images
from tests.repositories import commit_files, git
from tests.run.test_probes import SERVICE_WITH_DATABASE
from tests.service.conftest import placement
from tests.service.services import make_service

__all__ = ["placement"]  # a fixture for these tests too

COMPOSE = """
version: "2.4"
services:
  db:
    image: {image}
    environment: {{POSTGRES_HOST_AUTH_METHOD: trust}}
    ports: ["5432"]
    healthcheck: {{test: ["CMD", "pg_isready", "--username", "postgres"], interval: 1s, retries: 60}}
"""
BUSY = "SELECT count(*) FROM generate_series(1, 3000000)"


@pytest.mark.docker
def test_server_cpu__of_each_sides_container_is_its_own(placement, tmp_path):
    """The client of each comes through the engine's proxy, and both servers number their processes alike."""
    (placement.repository / "compose.yaml").write_text(COMPOSE.format(image=Images().postgres))
    needs = Needs(compose="compose.yaml", services=("db",), per_side=True, timeout_s=60.0)
    service = make_service("command", "x --port {port}")
    with Watchdog() as watchdog, NeedsAround(watchdog) as around:
        sides = [dataclasses.replace(placement, side=side) for side in ("base", "head")]
        found = [around.start(needs, service, side, lambda _: None) for side in sides]
        base, head = (f"postgresql://postgres@{each['DB_HOST']}:{each['DB_PORT']}/postgres" for each in found)
        for side in ("base", "head"):
            (tmp_path / side).mkdir()
        probes = [open_probe(base, tmp_path / "base", print), open_probe(head, tmp_path / "head", print)]
        try:
            assert [probe.read()["server_cpu_s"] for probe in probes] == [0.0, 0.0]
            with psycopg.connect(head) as connection:
                connection.execute(BUSY)
            of_base_s, of_head_s = (probe.read()["server_cpu_s"] for probe in probes)
        finally:
            for probe in probes:
                probe.disconnect()
    assert of_head_s > 0.1
    assert of_base_s < of_head_s / 3


@LONG
@pytest.mark.docker
@pytest.mark.slow
def test_run__a_head_that_moves_its_work_into_statements_fails_by_the_cpu_of_both(repository, call, tmp_path):
    (repository.folder / "compose.yaml").write_text(COMPOSE.format(image=Images().postgres))
    repository.write("service.py", SERVICE_WITH_DATABASE)
    url = "postgresql://postgres@${DB_HOST}:${DB_PORT}/postgres"
    repository.edit(
        "thresholds.yaml",
        "  ready: /",
        "  ready: /\n  needs: {compose: compose.yaml, services: [db], per_side: true}\n"
        f'  env: {{DATABASE_URL: "{url}"}}',
    )
    database = f'probes: {{postgres: "{url}"}}'
    both = f"cpu_of: [service, postgres]\n{database}\ncompare: {{max_duration: 30s}}\nprofiles:"
    repository.edit("thresholds.yaml", "profiles:", both)
    repository.edit("thresholds.yaml", "    limits:\n", "    regression: {cpu: 10%}\n    limits:\n")
    git(repository.folder, "init", "--quiet", "-b", "main")
    commit_files(repository.folder, {})
    repository.edit("service.py", "200000", "400000")
    out = tmp_path / "out"
    options = ("--thresholds", repository.thresholds, "--base", "HEAD", "--no-profile-code")
    code, table, progress = call("run", *options, "--out", out)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert code == 1, table + progress
    (change,) = scenario.comparison.changes
    assert (change.metric, change.outcome) == ("cpu", "FAIL"), table
    assert change.change > 0.4
