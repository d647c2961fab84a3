"""Which findings come first, of which endpoint, and how many lines they are."""

from __future__ import annotations

import pytest

from ci_gate.judge.validity.findings import Rule, Stage
from ci_gate.judge.validity.rules import MAX_ALIKE, RULES, put_notes_last
from ci_gate.judge.verdict import judge_scenario
from tests.judge.evidence_notation import HEALTHY, draw
from tests.judge.proof import SHORT
from tests.report.outputs import judge_evidence, render_every_output
from tests.report.verdicts import finding

NO_LOGIN = f"""
{HEALTHY}
10 POST /login 401 5ms ramp
start failure ShopUser 10 SignInError('user-0001')
reading 0-20 s users ShopUser=0
stopping at 1 s
expect GET /cart
"""
CRASH = f"""
{HEALTHY}
service ended at 5 s
900 GET /cart 0 2ms unreachable
9 GET /items 0 30000ms never
task error ShopUser 900 ConnectionRefusedError()
"""
STARVED = """
10 ShopUser
offers 50/s
least ShopUser 50/s
limit all p50 1s
limit GET /items p99 1s
reading 0-20 s cpu 100 lag 900
300 GET /items 200 50ms
"""
# A script that puts ids into its paths, against a service that answers 404.
EXPLODED = f"{SHORT}limit GET /items/17 p50 1s\nexpect GET /items/18\n60 GET /busy 404 5ms\n" + "\n".join(
    f"{2 + number % 3} GET /items/{number} 404 5ms" for number in range(300)
)


def codes_of(lines):
    findings = judge_evidence(draw(lines)).scenarios[0].findings
    return list(dict.fromkeys(each.code for each in findings if each.severity != "info"))


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (NO_LOGIN, "auth-failing start-failed users-missing phase-cut-short"),
        (CRASH, "service-ended endpoint-never-succeeded task-errors"),
        (STARVED, "generator-busy generator-late load-not-reached too-few-samples"),
    ],
    ids=["login", "crash", "starved"],
)
def test_findings__the_cause_comes_before_its_consequences(lines, codes):
    found = codes_of(lines)
    assert [code for code in found if code in codes.split()] == codes.split()
    assert found[0] == codes.split()[0]


@pytest.mark.parametrize("output", ["terminal", "comment", "page", "junit", "annotations"])
def test_findings__every_output_has_them_in_this_order(output):
    text = render_every_output(draw(NO_LOGIN))[output]
    places = [
        text.index(each) for each in ("refused (401)", " x ShopUser died in", "the steady phase lasted")
    ]
    assert places == sorted(places)


def test_findings__notes_come_last():
    note, blocking = finding("service-ended", "info"), finding("too-few-samples")
    assert put_notes_last([note, blocking]) == (blocking, note)


def make_rule(code, stage):
    return Rule(
        code=code,
        severity="invalid",
        stage=stage,
        find=lambda case: iter([("scenario", "broken")]),
        meaning="as said",
        threshold_text="always",
        remedy="fix it",
    )


def test_new_rule__brings_its_place_and_nothing_else_names_it():
    rules = (make_rule("late", Stage.PROOF), make_rule("early", Stage.GROUND), make_rule("next", Stage.LOAD))
    drawn = draw(HEALTHY)
    findings = judge_scenario(drawn.scenario, drawn.plan, drawn.classified, rules).findings
    assert [each.code for each in findings] == ["early", "next", "late"]


def test_exploded_run__a_line_a_rule_with_named_endpoints_first_and_then_the_busiest():
    findings = judge_evidence(draw(EXPLODED)).scenarios[0].findings
    never = [each for each in findings if each.code == "endpoint-never-succeeded"]
    assert [each.subject for each in never] == ["GET /items/17", "GET /items/18", "GET /busy"]
    assert never[-1].message.startswith(
        "not one success in 60 requests (404 x 60); likewise 298 more, such as GET /"
    )
    assert all(sum(each.code == rule.code for each in findings) <= MAX_ALIKE + 2 for rule in RULES)


def test_exploded_run__the_endpoints_that_thresholds_name_are_first_in_every_table():
    endpoints = [each.endpoint for each in judge_evidence(draw(EXPLODED)).scenarios[0].endpoints]
    assert endpoints[:4] == ["all", "GET /items/17", "GET /items/18", "GET /busy"]
    requests = [each.requests for each in judge_evidence(draw(EXPLODED)).scenarios[0].endpoints[3:]]
    assert requests == sorted(requests, reverse=True)


@pytest.mark.parametrize("output", ["terminal", "comment", "annotations"])
def test_exploded_run__reads_in_a_few_lines(output):
    text = render_every_output(draw(EXPLODED))[output]
    shown = text[: text.index("<details>")] if output == "comment" else text
    assert len(shown.splitlines()) < 40
    assert "GET /items/17" in shown


def test_few_endpoints__each_has_its_line():
    lines = "\n".join(f"9 GET /{name} 404 5ms" for name in "abcde")
    findings = judge_evidence(draw(f"{HEALTHY}\n{lines}")).scenarios[0].findings
    assert sum(each.code == "endpoint-never-succeeded" for each in findings) == MAX_ALIKE == 5
