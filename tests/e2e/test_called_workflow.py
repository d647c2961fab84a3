"""load-gate.yml, really called: by act, from the repository of an adopter whose service is an image."""

from __future__ import annotations

import os

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.e2e.act import run_act
from tests.e2e.adopter import Adopter, calling
from tests.e2e.images import Images
from tests.e2e.remote import copy_work_tree, name_own_repository
from tests.images import python_image

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CI_GATE_ACT") != "all", reason="takes minutes: set CI_GATE_ACT=all for every case"
    ),
]
GATE = f"octo-org/ci-gate@{'1' * 40}"


def test_call__with_a_key_a_context_requirements_and_a_secret_and_without_services(tmp_path):
    adopter = Adopter(tmp_path / "adopter", calling(python_image()))
    gate = tmp_path / "ci-gate"
    copy_work_tree(gate)
    name_own_repository(gate / ".github" / "workflows" / "load-gate.yml")
    adopter.branch("change")
    head = adopter.commit("Change")
    adopter.merge_into_main("change")
    adopter.publish()
    sides = {"head": {"ref": "change", "sha": head}, "base": {"ref": "main", "sha": "0" * 40}}
    outcome = run_act(
        "pull_request",
        {"action": "synchronize", "number": 1, "pull_request": {"number": 1, "labels": [], **sides}},
        remote=adopter,
        runner=Images().runner,
        folder=tmp_path / "act",
        actions={GATE: gate},
        workflow="ci.yml",
    )
    print(outcome.log[-30_000:])  # shown where the test fails
    assert outcome.exit_code == 0
    verdict = decode_verdict((outcome.artifacts / "shop-verdict" / "verdict.json").read_bytes())
    assert verdict.outcome in {"PASS", "INCONCLUSIVE"}  # a busy machine may leave the comparison open
    assert (verdict.options["dockerfile"], verdict.options["context"]) == ("shop/docker/Dockerfile", ".")
    (orders,) = verdict.scenarios
    assert orders.comparison is not None
    assert {each.name for each in outcome.artifacts.iterdir()} == {
        "shop-verdict",
        "shop-report",
        "shop-timeline",
        *(f"shop~{what}" for what in ("images", "verdict~orders", "timeline~orders", "evidence~orders")),
    }
    assert "from a secret" not in outcome.log
