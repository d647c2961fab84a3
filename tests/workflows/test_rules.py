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
FILES = [*sorted(GITHUB.rglob("*.yml")), ACTION, COMMENT_ACTION, HISTORY_ACTION]
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((GITHUB / "workflows").glob("*"))}
CALLER = WORKFLOWS["own-load-gate"]["jobs"]["load-gate"]
JOBS = [
    (name, job)
    for name, workflow in WORKFLOWS.items()
    for job, content in workflow["jobs"].items()
    if "uses" not in content
]
WRITES = {
    ("load-gate-comment", "comment"): {"pull-requests"},
    ("release", "pypi"): {"id-token"},
    ("release", "github"): {"contents"},
}
ON = True  # YAML 1.1 reads the key `on` as true
CALLED = WORKFLOWS["load-gate"][ON]["workflow_call"]
GATE_JOBS = WORKFLOWS["load-gate"]["jobs"]


def steps_of(file: Path):
    content = yaml.safe_load(file.read_text())
    if "runs" in content:
        return content["runs"]["steps"]
    return [step for job in content.get("jobs", {}).values() for step in job.get("steps", ())]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_actions__are_pinned_by_commit_and_say_their_version(file):
    for line in file.read_text().splitlines():
        if "uses: " in line and "uses: $/" not in line:
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


def test_gate__is_called_and_starts_for_every_way_into_the_branch():
    assert {*WORKFLOWS["load-gate"][ON]} == {"workflow_call"}
    assert {*WORKFLOWS["own-load-gate"][ON]} == {"pull_request", "merge_group", "workflow_dispatch"}
    assert CALLER["uses"] == "$/.github/workflows/load-gate.yml"


def test_gate__runs_for_whatever_may_change_a_verdict_without_a_commit():
    """A new base branch, a label, a title; a filter of paths would leave the check waiting."""
    types = ["opened", "synchronize", "reopened", "edited", "labeled", "unlabeled"]
    assert WORKFLOWS["own-load-gate"][ON]["pull_request"] == {"types": types}


def test_measuring__is_skipped_only_where_a_verdict_is_taken_again():
    jobs = WORKFLOWS["load-gate"]["jobs"]
    assert "if" not in jobs["plan"]
    for job in {*jobs} - {"plan", "gate", "reds", "confirm"}:
        assert jobs[job]["if"] == "needs.plan.outputs.reused == ''"
    steps = {step["name"]: step for step in jobs["gate"]["steps"]}
    assert steps["Make one verdict of all"]["if"] == "needs.plan.outputs.reused == ''"
    assert steps["Take it again"]["if"] == "needs.plan.outputs.reused != ''"


def test_confirming__is_paid_for_by_runs_that_are_red_alone():
    """Whether it is done is said by the caller's input, never by what head's code has printed."""
    reds, confirm = GATE_JOBS["reds"], GATE_JOBS["confirm"]
    asked = "inputs.confirm-on == 'fresh-runner'"
    assert reds["if"] == f"${{{{ !cancelled() && {asked} && needs.scenario.result == 'failure' }}}}"
    assert reds["permissions"] == {}
    # A job that was skipped has no outputs, and act leaves its expressions as they are.
    ran = "needs.reds.result == 'success' && needs.reds.outputs.matrix"
    assert confirm["if"] == f"${{{{ !cancelled() && {ran} != '' }}}}"
    assert confirm["strategy"]["matrix"]["include"] == f"${{{{ fromJSON({ran} || '[]') }}}}"
    steps = {step["name"]: step for step in GATE_JOBS["gate"]["steps"]}
    assert steps["Download what was confirmed"]["if"] == asked
    decides = steps["Make one verdict of all"]
    assert decides["env"]["CONFIRM_ON"] == "${{ inputs.confirm-on }}"
    assert 'if [ "$CONFIRM_ON" = fresh-runner ]; then confirmed=(--confirmed' in decides["run"]


def test_confirming__has_the_job_that_measures_again_on_a_machine_of_its_own():
    scenario, confirm = GATE_JOBS["scenario"], GATE_JOBS["confirm"]
    for key in ("runs-on", "timeout-minutes", "permissions", "services", "env"):
        assert confirm[key] == scenario[key]
    until = [step["name"] for step in scenario["steps"]].index("Measure and judge")
    assert confirm["steps"][:until] == scenario["steps"][:until]
    download, measure = confirm["steps"][until : until + 2]
    assert download["with"]["name"] == "${{ inputs.key }}~evidence~${{ matrix.scenario }}"
    of_scenario = scenario["steps"][until]["run"].replace(' --confirm-on "$CONFIRM_ON"', "")
    assert measure["run"] == of_scenario.replace('ci-gate" measure', 'ci-gate" confirm')


def test_token__is_not_seen_by_heads_code():
    """plan imports head's locustfiles; what takes the token comes before, in its job."""
    steps = {step["name"]: str(step) for step in WORKFLOWS["load-gate"]["jobs"]["plan"]["steps"]}
    (with_token,) = [name for name, step in steps.items() if "github.token" in step]
    assert [*steps].index(with_token) < [*steps].index("Check thresholds.yaml, and plan")


def test_inputs__given_by_hand_are_handed_on():
    by_hand = WORKFLOWS["own-load-gate"][ON]["workflow_dispatch"]["inputs"]
    assert {*by_hand} == {"scenario", "profile", "base", "users"}
    assert {name: CALLER["with"][name] for name in by_hand} == {
        name: f"${{{{ inputs.{name} }}}}" for name in by_hand
    }
    assert {*CALLER["with"]} <= {*CALLED["inputs"]}
    assert {*CALLER["permissions"].items()} == {
        permission for job in GATE_JOBS.values() for permission in job["permissions"].items()
    }


def test_inputs__that_the_action_has_too_are_the_same():
    action = inputs_of(ACTION)
    alike = {*CALLED["inputs"]} & {*action}
    assert alike == {"thresholds", "scenario", "profile", "base", "users", "key", "paths", "requirements"}
    assert {name: CALLED["inputs"][name]["default"] for name in alike} == {
        name: action[name]["default"] for name in alike
    }


@pytest.mark.parametrize("name", [*CALLED["inputs"], *CALLED["secrets"]])
def test_input__is_used(name):
    of = "secrets" if name in CALLED["secrets"] else "inputs"
    assert re.search(rf"\b{of}\.{re.escape(name)}\b", str(WORKFLOWS["load-gate"]["jobs"]))


def test_services__are_what_the_caller_names_and_published_on_the_bridge_only():
    """Not what a variable of the repository names: a fork's run has none, and had another database."""
    assert "vars." not in (GITHUB / "workflows" / "load-gate.yml").read_text()
    services = GATE_JOBS["scenario"]["services"]
    assert {*services} == {"postgres", "redis"}
    for name, service in services.items():
        assert service["image"] == f"${{{{ inputs.{name} }}}}"
        assert CALLED["inputs"][name]["default"] == "", "an image that is empty is not started"
        assert all(port.startswith("172.17.0.1:") for port in service["ports"])
        assert re.search(r"@sha256:[0-9a-f]{64}$", CALLER["with"][name])


def test_key__is_in_every_name_that_two_calls_would_share():
    """`~` is in no key, so that no pattern of one key finds what another has left."""
    key = "${{ inputs.key }}"
    assert key in WORKFLOWS["load-gate"]["concurrency"]["group"]
    for job in GATE_JOBS.values():
        images = [value for name, value in job.get("env", {}).items() if name.endswith("_IMAGE")]
        assert all(image.endswith(f":{key}") for image in images)
        for step in job["steps"]:
            for name in ("name", "pattern") if "artifact" in step.get("uses", "") else ():
                if name in step["with"]:
                    public = {f"{key}-verdict", f"{key}-timeline", f"{key}-report"}
                    assert step["with"][name] in public or step["with"][name].startswith(f"{key}~"), step
            if "last-verdict" in step.get("run", ""):
                assert '--key "$KEY"' in step["run"]


def test_files__lie_where_the_runner_empties_the_machine():
    """On a machine that is kept, the workspace holds what the last run has left: its verdicts, too."""
    for job in GATE_JOBS.values():
        for step in job["steps"]:
            if "artifact" in step.get("uses", ""):
                assert step["with"]["path"].startswith("${{ runner.temp }}"), step
            for target in re.findall(r"--(?:out|folder|output) (\S+)", step.get("run", "")):
                assert target.startswith('"$RUNNER_TEMP/'), step


def test_images__that_another_run_has_left_are_removed_before_any_is_built_or_loaded():
    """A base that does not build would else be compared as the one before it, on a machine that is kept."""
    for job, next_step in (("image", "Check out head"), ("scenario", "Load the images")):
        steps = {step["name"]: step for step in GATE_JOBS[job]["steps"]}
        removed = steps["Remove what another run has left on a machine that is kept"]
        assert removed["run"] == 'docker image rm --force "$HEAD_IMAGE" "$BASE_IMAGE"'
        assert removed["if"] == "env.DOCKERFILE != '' && runner.environment == 'self-hosted'"
        assert [*steps].index(removed["name"]) == [*steps].index(next_step) - 1


def test_own_code__is_had_from_github_at_the_commit_of_the_workflow():
    """By a checkout, a private copy would need a token, and `job.workflow_*` is not everywhere."""
    text = (GITHUB / "workflows" / "load-gate.yml").read_text()
    assert "job.workflow_" not in text
    assert {job: str(content).count("$/.github/actions/install") for job, content in GATE_JOBS.items()} == {
        "plan": 1,
        "image": 0,
        "scenario": 1,
        "reds": 1,
        "confirm": 1,
        "gate": 1,
    }
    for job in GATE_JOBS.values():
        assert all("repository" not in step.get("with", {}) for step in job["steps"])


def test_images__that_are_gone_are_not_built_again_by_one_scenario():
    steps = {step["name"]: step for step in GATE_JOBS["scenario"]["steps"]}
    said = steps["Say what to do where they are gone"]
    # The download fails where they are too old, and what was put in their place cannot be loaded.
    assert [steps[name]["id"] for name in ("Download the images", "Load the images")] == ["images", "load"]
    assert said["if"] == "failure() && (steps.images.outcome == 'failure' || steps.load.outcome == 'failure')"
    assert "Re-run all jobs" in said["run"]
    assert not any("continue-on-error" in step for step in steps.values())
    assert not any("docker build" in step.get("run", "") for step in steps.values())


@pytest.mark.parametrize("job", ["scenario", "confirm"])
def test_verdict__that_nothing_was_measured_takes_an_older_ones_place_whatever_fails_after_it(job):
    """Artifacts of an earlier attempt stay: of a job that leaves nothing, the gate would read that one."""
    steps = [*GATE_JOBS[job]["steps"]]
    names = [step["name"] for step in steps]
    review = names.index("Read what is to be measured, before any code of head's runs")
    assert names[:review] == ["Install ci-gate", "Check out head, with its history"]
    assert steps[review]["id"] == "review"
    upload = steps[names.index("Upload the verdict")]
    assert upload["if"] == "always() && steps.review.outcome != 'skipped'"
    assert upload["with"]["overwrite"] is True
    assert upload["with"]["path"] == "${{ runner.temp }}/gate/verdict.json"


def test_images__fill_no_storage_once_all_is_measured_and_stay_where_a_scenario_may_be_run_again():
    (upload,) = [step for step in GATE_JOBS["image"]["steps"] if step["name"] == "Upload the images"]
    done, remove = GATE_JOBS["gate"]["steps"][-2:]
    assert (remove["uses"], remove["with"]["name"]) == (upload["uses"], upload["with"]["name"])
    assert remove["with"]["overwrite"] is True
    assert remove["continue-on-error"] is True
    assert remove["if"] == f"always() && steps.{done['id']}.outcome == 'success'"
    assert done["if"].endswith("(needs.scenario.result == 'success' || needs.scenario.result == 'cancelled')")
    assert "write" not in str(GATE_JOBS["gate"]["permissions"])


def test_secret__is_seen_by_the_steps_that_run_heads_code_alone():
    seen = [
        (job, step["name"])
        for job, content in GATE_JOBS.items()
        for step in content["steps"]
        if "secrets." in str(step)
    ]
    assert seen == [
        ("plan", "Check thresholds.yaml, and plan"),
        ("scenario", "Measure and judge"),
        ("confirm", "Start both sides once more, and judge both starts"),
    ]
    assert "secrets" not in str([{**job, "steps": ()} for job in GATE_JOBS.values()])


def test_comment__runs_the_default_branch_only():
    (job,) = WORKFLOWS["load-gate-comment"]["jobs"].values()
    assert WORKFLOWS["load-gate-comment"][ON] == {
        "workflow_run": {"workflows": [WORKFLOWS["own-load-gate"]["name"]], "types": ["completed"]}
    }
    assert [step["uses"] for step in job["steps"]] == ["$/comment"]
    for step in job["steps"]:
        assert not {"ref", "repository"} & {*step.get("with", {})}, "this would be the fork's code"
        assert "download-artifact" not in step.get("uses", ""), "ci-gate itself reads it, with care"


def inputs_of(file: Path):
    return yaml.safe_load(file.read_text())["inputs"]


def test_action__gives_the_token_to_ci_gates_own_code_alone():
    """Review comes before the first step that runs head's code; publish imports none of it."""
    steps = {step["name"]: step for step in steps_of(ACTION)}
    with_token = [name for name, step in steps.items() if "inputs.token" in str(step)]
    assert with_token == ["Review both sides' thresholds", "Publish, and decide", "Comment"]
    for name in with_token:
        assert re.search(r'^"\$GATE" -I -m ci_gate (review|publish) ', steps[name]["run"], re.MULTILINE), name
        assert {"BASH_ENV": "", "LD_PRELOAD": ""}.items() <= steps[name]["env"].items()
    of_head = ["Install what the locustfile needs", "Measure"]
    assert [*steps].index(with_token[0]) < min(map([*steps].index, of_head))
    assert "github.token" not in str(steps)


def test_action__decides_and_uploads_whatever_became_of_the_steps_before():
    """Publish ends with the verdict's exit code, and nothing may swallow it."""
    steps = {step["name"]: step for step in steps_of(ACTION)}
    uploads = [name for name in steps if name.startswith("Upload ")]
    assert len(uploads) == 4
    for name in ("Publish, and decide", *uploads):
        assert steps[name]["if"].startswith("always() && "), name
    assert steps["Publish, and decide"]["if"] == "always() && steps.install.outputs.folder != ''"
    may_fail = [name for name, step in steps.items() if "continue-on-error" in step]
    assert may_fail == ["Name the page after its gate", "Upload the page"]  # the comment does without
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
    names = [f"${{{{ inputs.key }}}}-{what}" for what in ("verdict", "timeline", "report")]
    assert [each.get("name") for each in uploads] == [*names, None]  # the page has its file's name
    assert all(each["retention-days"] == "${{ inputs.retention-days }}" for each in uploads)


def test_comment_action__takes_what_the_gate_takes():
    """A key, a file or scenarios that differ would make its comment of another verdict."""
    gate, comment = inputs_of(ACTION), inputs_of(COMMENT_ACTION)
    for name in {*comment} - {"check"}:
        assert comment[name]["default"] == gate[name]["default"], name
    assert '--key "$KEY"' in str(steps_of(COMMENT_ACTION)[-1]["run"])
