"""Every YAML block of docs/adopt.md is what it says: a workflow, a thresholds.yaml, or a step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ci_gate.github.api.rules import ACTIONS_APP_ID, BranchRules, RequiredCheck
from ci_gate.github.doctor.gate_setup import Setup, examine_blocking
from ci_gate.github.doctor.workflow_files import parse_workflow
from ci_gate.thresholds import parse_thresholds
from tests.workflows.linters import actionlint, check_schema, zizmor

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adopt.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WORKFLOWS = [block for block in BLOCKS if "\njobs:" in block]
THRESHOLDS = [block for block in BLOCKS if "\nscenarios:" in block]
STEPS = [block for block in BLOCKS if block not in {*WORKFLOWS, *THRESHOLDS}]
ACTIONS = {
    "OWNER/ci-gate@v1": yaml.safe_load((ROOT / "action.yml").read_text()),
    "OWNER/ci-gate/comment@v1": yaml.safe_load((ROOT / "comment" / "action.yml").read_text()),
}
# The one exception to pinning by commit, for adopters: the tag that follows the releases.
RELEASED = re.compile(r"@v1$", re.MULTILINE)
# A workflow_run job has more rights than the run it follows; this one runs the default branch's code on data.
EXCEPTIONS = {"load-gate-comment": ["dangerous-triggers"]}


def steps_of(block):
    content = yaml.safe_load(block)
    jobs = content.get("jobs", {"": {"steps": [content]}})
    return [step for job in jobs.values() for step in job["steps"]]


def test_page__has_a_block_of_each_kind():
    assert (len(WORKFLOWS), len(THRESHOLDS), len(STEPS)) == (6, 5, 1)


@pytest.mark.parametrize("block", WORKFLOWS)
def test_workflow__is_clean_to_every_linter(block, tmp_path):
    content = yaml.safe_load(block)
    file = tmp_path / ".github" / "workflows" / f"{content['name']}.yml"
    assert block.startswith(f"# .github/workflows/{file.name}\n")
    file.parent.mkdir(parents=True)
    file.write_text(RELEASED.sub(f"@{'1' * 40} # v1.0.0", block))
    assert check_schema("github-workflows", file) == ""
    assert zizmor(tmp_path) == EXCEPTIONS.get(content["name"], [])
    assert actionlint(file) == []


@pytest.mark.parametrize("block", WORKFLOWS)
def test_workflow__is_bounded_and_grants_what_the_page_says(block):
    content = yaml.safe_load(block)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 90
        if "pull_request" in content[True] or "workflow_run" in content[True]:
            assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
        else:
            assert job["permissions"] == {"contents": "read"}
    assert {name for name in ("contents: read", "actions: read") if f"| `{name}` |" in PAGE} == {
        "contents: read",
        "actions: read",
    }


@pytest.mark.parametrize("block", [block for block in WORKFLOWS if "\n  pull_request:" in block])
def test_gate__sees_labels_new_bases_and_the_history_that_base_is_in(block):
    content = yaml.safe_load(block)
    types = ["opened", "synchronize", "reopened", "edited", "labeled", "unlabeled"]
    assert content[True]["pull_request"] == {"types": types}  # YAML 1.1 reads the key `on` as true
    checkout = steps_of(block)[0]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}


@pytest.mark.parametrize("block", WORKFLOWS[:2])
def test_doctor__finds_that_a_required_check_of_this_job_blocks(block):
    """Without the rule that requires it, doctor says what to fix."""
    workflow = parse_workflow(block, ".github/workflows/gate.yml")
    (check,) = yaml.safe_load(block)["jobs"]
    required = RequiredCheck(name=check, app_id=ACTIONS_APP_ID, demanded_by="a ruleset")
    wrong = [
        [
            line.subject
            for line in examine_blocking(
                Setup(
                    check=check,
                    rules=BranchRules(branch="main", checks=checks, has_merge_queue=True),
                    workflows=(workflow,),
                )
            )
            if line.state == "FIX"
        ]
        for checks in ((required,), ())
    ]
    assert wrong == [[], ["required check"]]


@pytest.mark.parametrize("block", [*WORKFLOWS, *STEPS])
def test_step__uses_inputs_that_the_action_has(block):
    used = [step for step in steps_of(block) if step.get("uses") in ACTIONS]
    assert used
    for step in used:
        assert {*step.get("with", {})} <= {*ACTIONS[step["uses"]]["inputs"]}


@pytest.mark.parametrize("block", THRESHOLDS)
def test_thresholds__are_right(block):
    parsed = parse_thresholds(block, "thresholds.yaml")
    assert all(scenario.regression for scenario in parsed.scenarios)


def test_tables__say_what_the_action_says():
    action = ACTIONS["OWNER/ci-gate@v1"]
    listed = re.findall(r"^\| `([a-z-]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$", PAGE, re.MULTILINE)
    assert listed == [(name, each["default"], each["description"]) for name, each in action["inputs"].items()]
    listed = re.findall(r"^\| `([a-z-]+)` \| ([^`|]+) \|$", PAGE, re.MULTILINE)
    assert listed == [(name, each["description"]) for name, each in action["outputs"].items()]
