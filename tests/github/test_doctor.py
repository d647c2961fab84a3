from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import requests

from ci_gate.errors import BadInputError
from ci_gate.github.api.reply import RefusedError
from ci_gate.github.api.rules import ACTIONS_APP_ID, BranchRules, RequiredCheck
from ci_gate.github.api.transport import Transport
from ci_gate.github.doctor.branch_filters import lets_through
from ci_gate.github.doctor.doctor import examine_repository, render_examination
from ci_gate.github.doctor.gate_advice import examine_advisable
from ci_gate.github.doctor.gate_setup import NEEDED_PERMISSIONS, NEEDED_TYPES, Setup, examine_blocking
from ci_gate.github.doctor.workflow_files import parse_workflow, read_workflows
from tests.github.conftest import Clock
from tests.github.fake_github import FakeGitHub

GATE = """\
name: load-gate
on:
  pull_request:
    types: [opened, synchronize, reopened, edited, labeled, unlabeled]
  merge_group:
  workflow_dispatch:
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@0123456789abcdef0123456789abcdef01234567 # v5
      - uses: ./.github/actions/install
  scenario:
    needs: plan
    runs-on: ubuntu-latest
    steps: [{run: ci-gate run}]
  gate:
    needs: [scenario]
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: ci-gate publish verdict.json}]
"""
COMMENT = """\
name: load-gate-comment
on: {workflow_run: {workflows: [load-gate], types: [completed]}}
permissions: {}
jobs:
  comment:
    permissions: {pull-requests: write, actions: read, contents: read}
    runs-on: ubuntu-latest
    steps: [{run: ci-gate publish}]
"""
REQUIRED = RequiredCheck(name="gate", app_id=ACTIONS_APP_ID, demanded_by="a ruleset")


def rules(*checks, queue=False):
    return BranchRules(branch="main", checks=checks, has_merge_queue=queue)


def examine(gate=GATE, comment=COMMENT, checks=(REQUIRED,), queue=False, extra=()):
    """state, subject of every line, and the lines by subject."""
    texts = [("gate.yml", gate), ("comment.yml", comment), *extra]
    workflows = tuple(parse_workflow(text, f".github/workflows/{name}") for name, text in texts if text)
    setup = Setup(check="gate", rules=rules(*checks, queue=queue), workflows=workflows)
    return (*examine_blocking(setup), *examine_advisable(setup))


def wrong(lines, state="FIX"):
    return [line.subject for line in lines if line.state == state]


def test_good_setup__has_nothing_to_fix_and_nothing_to_advise():
    lines = examine()
    assert {line.state for line in lines} == {"ok"}
    assert [line.subject for line in lines] == [
        "gate job",
        "required check",
        "pull requests",
        "merge queue",
        "gate always runs",
        "gate sees all jobs",
        "errors count",
        "source of the check",
        "comment",
    ]


@pytest.mark.parametrize(
    ("push", "subjects"),
    [
        ("  push:\n", ["pushes"]),
        ("  push: {branches: ['**']}\n", ["pushes"]),
        ("  push: {branches: [main, 'feature/*']}\n", ["pushes"]),
        ("  push: {branches-ignore: [main]}\n", ["pushes"]),
        ("  push: {branches: [main], tags: ['v*']}\n", ["pushes"]),
        ("  push: {branches: [main, release/1.x]}\n", []),
    ],
)
def test_push__must_not_report_the_check_of_a_pull_request_without_its_base(push, subjects):
    assert wrong(examine(GATE.replace("  merge_group:\n", push + "  merge_group:\n"))) == subjects


@pytest.mark.parametrize(
    ("old", "new", "subject"),
    [
        ("  gate:\n", "  verdict:\n", "gate job"),
        ("  gate:\n", "  gate:\n    name: the gate\n", "gate job"),
        (
            "  pull_request:\n    types: [opened, synchronize, reopened, edited, labeled, unlabeled]\n",
            "",
            "pull requests",
        ),
        (
            "    types: [opened, synchronize, reopened, edited, labeled, unlabeled]",
            "    paths: [src/**]",
            "pull requests",
        ),
        ("    types: [opened,", "    paths-ignore: [docs/**]\n    types: [opened,", "pull requests"),
        ("    types: [opened,", "    branches: [release]\n    types: [opened,", "pull requests"),
        ("    types: [opened,", "    branches: ['**', '!main']\n    types: [opened,", "pull requests"),
        ("    types: [opened,", "    branches: ['!main']\n    types: [opened,", "pull requests"),
        ("    types: [opened,", "    branches-ignore: ['ma*']\n    types: [opened,", "pull requests"),
        ("[opened, synchronize, reopened, edited, labeled, unlabeled]", "[opened, labeled]", "pull requests"),
        ("    if: always()\n", "", "gate always runs"),
        ("if: always()", "if: success()", "gate always runs"),
        ("if: always()", "if: ${{ !cancelled() }}", "gate always runs"),
        ("if: always()", "if: always() && github.event_name == 'push'", "gate always runs"),
        ("needs: [scenario]", "needs: []", "gate sees all jobs"),
        ("needs: [scenario]", "needs: plan", "gate sees all jobs"),
        ("    needs: plan\n", "", "gate sees all jobs"),
        ("    needs: plan\n", "    needs: plan\n    continue-on-error: true\n", "errors count"),
        ("{run: ci-gate run}", "{run: ci-gate run, continue-on-error: true}", "errors count"),
    ],
)
def test_gate__that_would_not_block_is_to_be_fixed(old, new, subject):
    assert old in GATE
    lines = examine(GATE.replace(old, new))
    assert wrong(lines) == [subject]
    assert all(line.to_do for line in lines if line.state != "ok")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if: always()", "if: ${{ always() }}"),
        ("    types: [opened,", "    branches: [main, release]\n    types: [opened,"),
        ("    types: [opened,", "    branches: '**'\n    types: [opened,"),
        ("    types: [opened,", "    branches: ['*']\n    types: [opened,"),
        ("    types: [opened,", "    branches: ['!main', 'm*n']\n    types: [opened,"),
        ("    types: [opened,", "    branches-ignore: ['docs/**']\n    types: [opened,"),
        ("  merge_group:\n", "  merge_group: {branches: [main]}\n"),
        ("  gate:\n", "  last:\n    name: gate\n"),
        ("needs: [scenario]", "needs: [scenario, plan]"),
        # What only carries a file away decides nothing.
        (
            "{run: ci-gate run}",
            "{run: ci-gate run}, {uses: actions/upload-artifact@v7, continue-on-error: true}",
        ),
    ],
)
def test_gate__written_another_way_blocks_too(old, new):
    assert wrong(examine(GATE.replace(old, new))) == []


@pytest.mark.parametrize(
    ("on", "found"),
    [
        ("on: push", "do not start the workflow"),
        ("on: [push, pull_request]", "not when edited, labeled, unlabeled"),
    ],
)
def test_triggers__may_be_a_name_or_a_list(on, found):
    lines = examine(on + "\n" + GATE[GATE.index("permissions:") :])
    assert [line.found for line in lines if line.subject == "pull requests"] == [found]


def test_check__that_is_not_required_is_to_be_fixed_with_those_that_are():
    other = RequiredCheck(name="load-gate / gate", app_id=None, demanded_by="a ruleset")
    lines = examine(checks=(other,))
    assert wrong(lines) == ["required check"]
    (line,) = [line for line in lines if line.subject == "required check"]
    assert "required: load-gate / gate" in line.found
    assert "require the status check gate" in line.to_do


def test_two_jobs_of_one_name__are_to_be_fixed():
    other = "on: pull_request\npermissions: {}\njobs: {gate: {steps: []}}\n"
    lines = examine(extra=[("other.yml", other)])
    assert wrong(lines) == ["gate job"]


def test_called_workflow__reports_under_another_name():
    assert wrong(examine(GATE.replace("    if: always()\n", "    if: always()\n    uses: ./x.yml\n"))) == [
        "gate job"
    ]


@pytest.mark.parametrize(("queue", "state"), [(True, "FIX"), (False, "advice")])
def test_merge_queue__that_does_not_start_the_gate(queue, state):
    for instead in ("", "  merge_group: {branches: [release]}\n"):
        lines = examine(GATE.replace("  merge_group:\n", instead), queue=queue)
        assert wrong(lines, state) == ["merge queue"]
    assert wrong(examine(queue=queue)) == []


@pytest.mark.parametrize("app_id", [None, 1])
def test_source_of_the_check__is_advised(app_id):
    check = RequiredCheck(name="gate", app_id=app_id, demanded_by="a ruleset")
    lines = examine(checks=(check,))
    assert (wrong(lines), wrong(lines, "advice")) == ([], ["source of the check"])


@pytest.mark.parametrize(
    "comment",
    [
        "",
        COMMENT.replace("pull-requests: write", "pull-requests: read"),
        COMMENT.replace("[load-gate]", "[other]"),
        COMMENT.replace("permissions: {}", "permissions: {pull-requests: write}").replace(
            "    permissions: {pull-requests: write, actions: read, contents: read}", "    permissions: {}"
        ),
    ],
)
def test_comment__that_cannot_come_is_advised(comment):
    lines = examine(comment=comment)
    assert wrong(lines) == []
    assert wrong(lines, "advice") == ["comment"]


@pytest.mark.parametrize(
    "text", ["", "[]", "on: 5\njobs: []", "jobs: {gate: 7}", "jobs: {gate: {steps: 1, needs: 2}}"]
)
def test_workflow__of_no_sensible_form_is_read_as_empty(text):
    workflow = parse_workflow(text, "x.yml")
    assert [job.needs for job in workflow.jobs if job.needs] == []


def test_workflow__that_is_no_yaml_is_bad_input():
    with pytest.raises(BadInputError, match=r"x\.yml"):
        parse_workflow("a: [", "x.yml")


def test_workflow_files__are_read_and_their_problems_kept(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(GATE)
    (folder / "b.yaml").write_text("a: [")
    (folder / "c.yml").write_bytes(b"\xff")
    (folder / "README.md").write_text("no workflow")
    workflows, problems = read_workflows(tmp_path)
    assert [workflow.path for workflow in workflows] == [".github/workflows/a.yml"]
    assert [problem.file for problem in problems] == [".github/workflows/b.yaml", ".github/workflows/c.yml"]
    lines = examine_blocking(
        Setup(check="gate", rules=rules(REQUIRED), workflows=workflows, problems=problems)
    )
    assert wrong(lines) == ["workflow file", "workflow file"]


@pytest.mark.parametrize(
    ("patterns", "passing", "stopped"),
    [
        (["*"], ["main", "fix-1"], ["release/2"]),
        (["**"], ["main", "release/2"], []),
        (["release/*"], ["release/2"], ["release", "release/2/x", "main"]),
        (["release/**", "!release/**-alpha"], ["release/2"], ["release/2-alpha", "release/3/x-alpha"]),
        (["**", "!main"], ["release/2"], ["main"]),
        (["!main", "**"], ["main"], []),
        (["!main"], [], ["main", "release/2"]),
        (["v[12].[0-9]+"], ["v1.0", "v2.10"], ["v3.0", "v1x0", "v1."]),
        (["mains?"], ["main", "mains"], ["mainss", "mai"]),
        (["a.b", "c\\+d"], ["a.b", "c+d"], ["axb", "ccd"]),
        (["[", "+x"], ["["], ["x"]),
        ([], [], ["main"]),
    ],
)
def test_branches__are_let_through_as_github_does(patterns, passing, stopped):
    assert [branch for branch in passing if not lets_through(patterns, branch)] == []
    assert [branch for branch in stopped if lets_through(patterns, branch)] == []


PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "workflows.md").read_text()
ADOPT = (PROJECT / "docs" / "adopt.md").read_text()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def read_documented_setup():
    """The workflow file that the document shows, and the other that it points to; path -> text."""
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    texts = [textwrap.dedent(text).replace("COMMIT", COMMIT) for _, text in blocks]
    shown = {text.splitlines()[0].removeprefix("# "): text for text in texts if text.startswith("# .github/")}
    comment = ".github/workflows/load-gate-comment.yml"
    (pointed_to,) = re.findall(
        rf"^```yaml\n(# {re.escape(comment)}\n.*?)^```$", ADOPT, re.DOTALL | re.MULTILINE
    )
    return {comment: pointed_to} | shown


def read_own_setup():
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text()
        for path in sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
    }


def look_at(texts, required, check="gate"):
    workflows = tuple(parse_workflow(text, path) for path, text in texts.items())
    demanded = RequiredCheck(name=required, app_id=ACTIONS_APP_ID, demanded_by="a ruleset")
    setup = Setup(check=check, rules=rules(demanded, queue=True), workflows=workflows)
    return (*examine_blocking(setup), *examine_advisable(setup))


@pytest.mark.parametrize("check", ["gate", "load-gate / gate"])
def test_documented_setup__blocks_and_needs_nothing(check):
    lines = look_at(read_documented_setup(), "load-gate / gate", check)
    assert [(line.state, line.subject, line.found) for line in lines if line.state != "ok"] == []
    assert {"caller starts", "caller grants", "comment"} <= {line.subject for line in lines}


def test_own_setup__blocks_and_needs_nothing():
    lines = look_at(read_own_setup(), "load-gate / gate")
    assert [(line.state, line.subject, line.found) for line in lines if line.state != "ok"] == []


def test_documented_setup__whose_check_is_not_required_names_the_one_to_require():
    (line,) = [line for line in look_at(read_documented_setup(), "gate") if line.state == "FIX"]
    assert "does not require load-gate / gate (required: gate)" in line.found
    assert line.to_do.endswith("require the status check load-gate / gate")


@pytest.mark.parametrize(
    ("old", "new", "subject"),
    [
        ("  load-gate:\n", "  load-gate:\n    needs: build\n", "caller starts"),
        ("  load-gate:\n", "  load-gate:\n    if: github.actor != 'x'\n", "caller starts"),
        ("      contents: read  # to check out\n", "", "caller grants"),
        ("      pull-requests: read  # the labels as they are now\n", "", "caller grants"),
        ("  load-gate:\n", "  verdict:\n", "required check"),
        ("load-gate.yml@", "other.yml@", "gate job"),
        ("  merge_group:\n", "", "merge queue"),
    ],
)
def test_documented_setup__that_was_changed_is_to_be_fixed(old, new, subject):
    texts = read_documented_setup()
    (path,) = [path for path in texts if path.endswith("/load-gate.yml")]
    assert old in texts[path]
    lines = look_at(texts | {path: texts[path].replace(old, new, 1)}, "load-gate / gate")
    assert subject in wrong(lines)


def test_documented_setup__has_the_types_and_permissions_that_the_doctor_demands():
    texts = read_documented_setup()
    (caller,) = [
        parse_workflow(text, path) for path, text in texts.items() if path.endswith("/load-gate.yml")
    ]
    types = caller.triggers["pull_request"].get("types", ["opened", "synchronize", "reopened"])
    assert types == list(NEEDED_TYPES)
    own = parse_workflow(read_own_setup()[".github/workflows/load-gate.yml"], "load-gate.yml")
    assert {*own.triggers} == {"workflow_call"}
    asked = {name: level for job in own.jobs for name, level in (job.permissions or {}).items()}
    assert asked == NEEDED_PERMISSIONS
    assert caller.jobs[0].permissions == NEEDED_PERMISSIONS


LOCAL = """\
on: {pull_request: {types: TYPES}, merge_group: }
permissions: {}
jobs:
  before: {steps: []}
  load:
    permissions: {actions: read, contents: read, pull-requests: read}
    uses: ./.github/workflows/gate.yml
""".replace("TYPES", f"[{', '.join(NEEDED_TYPES)}]")
CALLED = "on: workflow_call\n" + GATE[GATE.index("permissions:") :]


@pytest.mark.parametrize("root", [".", "$"])
def test_called_workflow_of_the_same_repository__is_looked_into(root):
    """Jobs beside the caller are no business of the gate's; those inside are."""
    caller = LOCAL.replace("uses: ./", f"uses: {root}/")
    texts = {".github/workflows/gate.yml": CALLED, ".github/workflows/pull.yml": caller}
    assert wrong(look_at(texts, "load / gate")) == []
    texts[".github/workflows/gate.yml"] = CALLED.replace("    if: always()\n", "")
    assert wrong(look_at(texts, "load / gate")) == ["gate always runs"]


def test_workflow_that_is_only_called__reports_nothing_by_itself():
    assert "gate job" in wrong(look_at({".github/workflows/gate.yml": CALLED}, "gate"))


def test_called_workflows__several_that_may_be_meant():
    texts = {
        ".github/workflows/gate.yml": CALLED,
        ".github/workflows/a.yml": LOCAL,
        ".github/workflows/b.yml": LOCAL.replace("  load:\n", "  other:\n"),
    }
    assert wrong(look_at(texts, "load / gate")) == []
    (line,) = [line for line in look_at(texts, "lint") if line.subject == "gate job"]
    assert "load / gate, other / gate" in line.found


def test_called_workflow_of_another_repository__is_known_by_the_checks_name_alone():
    texts = {
        ".github/workflows/a.yml": LOCAL.replace(
            "./.github/workflows/gate.yml", f"x/y/.github/workflows/z.yml@{COMMIT}"
        )
    }
    assert wrong(look_at(texts, "load / verdict", "load / verdict")) == []
    assert "gate job" in wrong(look_at(texts, "load / verdict"))


RULE = {
    "type": "required_status_checks",
    "parameters": {
        "strict_required_status_checks_policy": True,
        "required_status_checks": [{"context": "gate", "integration_id": ACTIONS_APP_ID}],
    },
}


@pytest.fixture
def github():
    with FakeGitHub() as fake:
        yield fake
        assert fake.state.description.violations == []


@pytest.fixture
def doctor(github, tmp_path):
    """Runs it on a checkout; returns its code and what it printed."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "load-gate.yml").write_text(GATE)
    (folder / "load-gate-comment.yml").write_text(COMMENT)

    def run(**more):
        with requests.Session() as session:
            session.trust_env = False
            transport = Transport(session, base_url=github.url, token="token", patience=Clock().patience())
            found = examine_repository(
                transport=transport, github_repository="shop/shop", repository=tmp_path, **more
            )
        return found.exit_code, render_examination(found)

    return run


def test_doctor__of_a_repository_whose_ruleset_demands_the_gate(github, doctor):
    github.state.rules = [RULE, {"type": "merge_queue"}]
    code, output = doctor()
    assert code == 0
    assert output.endswith("The gate blocks merges into main.\n")
    assert "`uvx zizmor .github`" in output
    assert "FIX" not in output


def test_doctor__of_a_repository_without_rules(github, doctor):
    code, output = doctor()
    assert code == 1
    assert "FIX  required check" in output
    assert output.endswith("The gate does not block merges into main.\n")


@pytest.mark.parametrize(("level", "code"), [("everyone", 0), ("non_admins", 0), ("off", 1)])
def test_doctor__reads_classic_branch_protection(github, doctor, level, code):
    github.state.protection = {
        "enabled": True,
        "required_status_checks": {
            "enforcement_level": level,
            "contexts": ["gate"],
            "checks": [{"context": "gate", "app_id": None}],
        },
    }
    assert doctor()[0] == code


def test_doctor__finds_the_rule_on_a_later_page(github, doctor):
    github.state.rules = [{"type": "deletion"}] * 150 + [RULE]
    assert doctor()[0] == 0


def test_doctor__of_another_branch_and_check(github, doctor):
    github.state.rules = [RULE]
    code, output = doctor(branch="release/2.x", check="verdict")
    assert code == 1
    assert "no job reports verdict" in " ".join(output.split())
    assert "GET /repos/shop/shop/rules/branches/release%2F2.x" in github.requests


def test_doctor__that_may_not_read_says_so(github, doctor):
    github.fail("GET", "/rules/", status=403, message="Resource not accessible by integration")
    with pytest.raises(RefusedError, match="rules/branches/main: HTTP 403"):
        doctor()
