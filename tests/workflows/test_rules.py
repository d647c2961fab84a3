"""What the workflows promise, read from the files themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
ACTION, COMMENT_ACTION = ROOT / "action.yml", ROOT / "comment" / "action.yml"
HISTORY_ACTION = ROOT / "history" / "action.yml"
FILES = [*sorted(GITHUB.rglob("*.yml")), ACTION, COMMENT_ACTION]
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((GITHUB / "workflows").glob("*"))}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]
WRITES = {
    ("load-gate-comment", "comment"): {"pull-requests"},
    ("release", "pypi"): {"id-token"},
    ("release", "github"): {"contents"},
}
ON = True  # YAML 1.1 reads the key `on` as true


def steps_of(file: Path):
    content = yaml.safe_load(file.read_text())
    if "runs" in content:
        return content["runs"]["steps"]
    return [step for job in content.get("jobs", {}).values() for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_actions__are_pinned_by_commit_and_say_their_version(file):
    for line in file.read_text().splitlines():
        if "uses: " in line and "uses: ./ci-gate/" not in line:
            assert re.search(r"uses: (?:actions|pypa)/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_actions__are_pinned_to_one_commit_everywhere():
    used = {word for file in FILES for word in re.findall(r"actions/[a-z-]+@[0-9a-f]{40}", file.read_text())}
    assert len(used) == len({word.partition("@")[0] for word in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow__grants_nothing_by_itself(name):
    assert WORKFLOWS[name]["permissions"] == {}


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_job__is_bounded_in_time_and_rights(name, job):
    content = WORKFLOWS[name]["jobs"][job]
    assert content["timeout-minutes"] <= 90
    writes = {right for right, level in content["permissions"].items() if level != "read"}
    assert writes == WRITES.get((name, job), set())


@pytest.mark.parametrize("file", sorted((GITHUB / "workflows").glob("*")), ids=lambda file: file.name)
def test_permission__says_why(file):
    for line in file.read_text().splitlines():
        if re.match(r" +(actions|checks|contents|id-token|pull-requests|statuses): (read|write)", line):
            assert re.search(r"(read|write)  # \S", line), line


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_script__holds_no_expression(file):
    for step in steps_of(file):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_checkout__keeps_no_credentials(file):
    for step in steps_of(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_gate__always_runs_and_needs_every_other_job():
    jobs = WORKFLOWS["load-gate"]["jobs"]
    gate = jobs["gate"]
    assert gate["name"] == "gate"
    assert gate["if"] == "always()"
    assert {*gate["needs"]} == {*jobs} - {"gate"}


def test_gate__compares_thresholds_with_the_base_of_the_event_whatever_is_measured():
    """A moved Dockerfile leaves no base to measure; it must not leave none to ask what was loosened."""
    jobs = WORKFLOWS["load-gate"]["jobs"]
    reviewed, measured = "needs.plan.outputs.base", "needs.plan.outputs.measured_base"
    assert reviewed in str(jobs["gate"])
    assert measured not in str(jobs["gate"])
    assert measured in str(jobs["image"])
    assert reviewed not in str([jobs["image"], jobs["scenario"]])


def test_gate__runs_for_every_way_into_the_branch():
    assert {"pull_request", "merge_group", "workflow_dispatch", "workflow_call"} == {
        *WORKFLOWS["load-gate"][ON]
    }


def test_gate__runs_for_whatever_may_change_a_verdict_without_a_commit():
    """A new base branch, a label, a title; a filter of paths would leave the check waiting."""
    types = ["opened", "synchronize", "reopened", "edited", "labeled", "unlabeled"]
    assert WORKFLOWS["load-gate"][ON]["pull_request"] == {"types": types}


def test_measuring__is_skipped_only_where_a_verdict_is_taken_again():
    jobs = WORKFLOWS["load-gate"]["jobs"]
    assert "if" not in jobs["plan"]
    for job in {*jobs} - {"plan", "gate"}:
        assert jobs[job]["if"] == "needs.plan.outputs.reused == ''"
    steps = {step["name"]: step for step in jobs["gate"]["steps"]}
    assert steps["Make one verdict of all"]["if"] == "needs.plan.outputs.reused == ''"
    assert steps["Take it again"]["if"] == "needs.plan.outputs.reused != ''"


def test_token__is_not_seen_by_heads_code():
    """plan imports head's locustfiles; what takes the token comes before, in its job."""
    steps = {step["name"]: str(step) for step in WORKFLOWS["load-gate"]["jobs"]["plan"]["steps"]}
    (with_token,) = [name for name, step in steps.items() if "github.token" in step]
    assert [*steps].index(with_token) < [*steps].index("Check thresholds.yaml, and plan")


def test_inputs__are_the_same_by_hand_and_by_call():
    triggers = WORKFLOWS["load-gate"][ON]
    by_hand, by_call = triggers["workflow_dispatch"]["inputs"], triggers["workflow_call"]["inputs"]
    assert {*by_hand} == {"scenario", "profile", "base", "users"}
    assert {*by_call} == {*by_hand, "dockerfile"}


def test_services__are_pinned_and_published_on_the_bridge_only():
    for service in WORKFLOWS["load-gate"]["jobs"]["scenario"]["services"].values():
        assert re.search(r"@sha256:[0-9a-f]{64}' }}$", service["image"])
        assert all(port.startswith("172.17.0.1:") for port in service["ports"])


def test_comment__runs_the_default_branch_only():
    (job,) = WORKFLOWS["load-gate-comment"]["jobs"].values()
    assert WORKFLOWS["load-gate-comment"][ON] == {
        "workflow_run": {"workflows": [WORKFLOWS["load-gate"]["name"]], "types": ["completed"]}
    }
    for step in job["steps"]:
        assert not {"ref", "repository"} & {*step.get("with", {})}, "this would be the fork's code"
        assert "download-artifact" not in step.get("uses", ""), "ci-gate itself reads it, with care"


def inputs_of(file: Path):
    return yaml.safe_load(file.read_text())["inputs"]


def test_action__gives_the_token_to_ci_gates_own_code_alone():
    """Review comes before the first step that runs head's code; publish imports none of it."""
    steps = {step["name"]: step for step in steps_of(ACTION)}
    with_token = [name for name, step in steps.items() if "inputs.token" in str(step)]
    assert with_token == ["Review both sides' thresholds", "Publish, and decide"]
    for name in with_token:
        assert re.search(r'^"\$GATE" -I -m ci_gate (review|publish) ', steps[name]["run"], re.MULTILINE), name
        assert {"BASH_ENV": "", "LD_PRELOAD": ""}.items() <= steps[name]["env"].items()
    of_head = ["Install what the locustfile needs", "Measure"]
    assert [*steps].index(with_token[0]) < min(map([*steps].index, of_head))
    assert "github.token" not in str(steps)


def test_action__decides_and_uploads_whatever_became_of_the_steps_before():
    """Publish ends with the verdict's exit code, and nothing may swallow it."""
    steps = {step["name"]: step for step in steps_of(ACTION)}
    for name in ("Publish, and decide", "Upload the verdict", "Upload the report and the evidence"):
        assert steps[name]["if"].startswith("always() && "), name
    assert steps["Publish, and decide"]["if"] == "always() && steps.install.outputs.folder != ''"
    assert not any("continue-on-error" in step for step in steps.values())
    measuring = [steps[name] for name in ("Install what the locustfile needs", "Measure")]
    assert all("steps.review.outputs.reused == ''" in step["if"] for step in measuring)


@pytest.mark.parametrize("file", [ACTION, COMMENT_ACTION, HISTORY_ACTION], ids=["gate", "comment", "history"])
def test_action__leaves_the_job_its_python_and_installs_the_runtime_alone(file):
    text = file.read_text()
    (python,) = [step for step in steps_of(file) if step.get("uses", "").startswith("actions/setup-python@")]
    assert python["with"]["update-environment"] is False
    assert "requirements-runtime.lock" in text
    assert "actions/checkout" not in text
    assert not re.search(r"job\.|secrets\.|github\.(?!token)|runner\.", re.sub(r"#.*", "", text))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_artifact__is_kept_for_a_time_that_the_workflow_says(name):
    """Else it is kept for the repository's default, and fills the quota."""
    for step in steps_of(GITHUB / "workflows" / f"{name}.yml"):
        assert "upload-artifact" not in step.get("uses", "") or step["with"]["retention-days"] <= 30


def test_action__keeps_every_artifact_for_as_long_as_the_input_says():
    uploads = [step["with"] for step in steps_of(ACTION) if "upload-artifact" in step.get("uses", "")]
    assert [each["name"] for each in uploads] == ["${{ inputs.key }}-verdict", "${{ inputs.key }}-report"]
    assert all(each["retention-days"] == "${{ inputs.retention-days }}" for each in uploads)


def test_comment_action__takes_what_the_gate_takes():
    """A key, a file or scenarios that differ would make its comment of another verdict."""
    gate, comment = inputs_of(ACTION), inputs_of(COMMENT_ACTION)
    for name in {*comment} - {"check"}:
        assert comment[name]["default"] == gate[name]["default"], name
    assert '--artifact "$KEY-verdict"' in str(steps_of(COMMENT_ACTION)[-1]["run"])
