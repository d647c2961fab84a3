"""Numbers of the report that need no load to be refused: ``ci-gate check`` says so."""

from __future__ import annotations

import pytest
import yaml

from ci_gate.errors import BadInputError
from ci_gate.thresholds import parse_thresholds
from tests.claims.conftest import call_gate

NUMBERS = (7, 11, 20)

LOCUSTFILE = """
from locust import FastHttpUser, between, task

class CabUser(FastHttpUser):
    wait_time = between(1, 3)

    @task
    def list_pending(self):
        self.client.get("/approvals")

class BurstUser(FastHttpUser):
    wait_time = between(0.1, 0.5)

    @task
    def create(self):
        self.client.post("/deployments")
"""


def write_thresholds(folder, cab_rate, burst_rate):
    def scenario(user_class, count, rate):
        users = {user_class: count}
        limits = {"all": {"rate": rate}}
        return {"locustfile": "cab.py", "users": users, "spawn_rate": 5, "limits": limits}

    document = {
        "schema": 1,
        "service": {"url": "http://127.0.0.1:9"},
        "profiles": {"full": {"duration": "5m"}},
        "scenarios": {
            "cab-approvals": scenario("CabUser", 50, cab_rate),
            "burst-load": scenario("BurstUser", 1000, burst_rate),
        },
    }
    (folder / "cab.py").write_text(LOCUSTFILE)
    (folder / "thresholds.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return ["check", "--thresholds", str(folder / "thresholds.yaml")]


def test_claims_11_and_20__rates_beyond_what_the_users_can_offer(tmp_path):
    refused = call_gate(write_thresholds(tmp_path, "80/s", "10000/s"))
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "a rate of 80/s is beyond what the users can offer (allowed: at most 25.0/s" in refused.stderr
    assert (
        "a rate of 10000/s is beyond what the users can offer (allowed: at most 3,333.3/s" in refused.stderr
    )


def test_claims_11_and_20__rates_within_it(tmp_path):
    allowed = call_gate(write_thresholds(tmp_path, "25/s", "3333/s"))
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr


@pytest.mark.parametrize("users", ["", "users: {}", "users: {CabUser: 0}"])
def test_claim_07__a_scenario_names_its_users(users):
    text = """
schema: 1
service: {command: "shop --port {port}"}
profiles: {full: {duration: 5m}}
scenarios:
  cab-approvals:
    locustfile: cab.py
    spawn_rate: 5
    limits: {all: {p50: 1s}}
    {}
"""
    parse_thresholds(text.replace("{}", "users: {CabUser: 50}"), "thresholds.yaml")
    with pytest.raises(BadInputError, match=r"users|CabUser"):
        parse_thresholds(text.replace("{}", users), "thresholds.yaml")
