"""The comment: the goldens, its size, and its tables whatever the names are.

After a wanted change, write the goldens again with ``python -m tests.report.test_comment`` and look at them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.evidence.environment import Environment
from ci_gate.judge.occasion import Occasion
from ci_gate.report.comment import (
    MAX_COMMENT_BYTES,
    MAX_SUMMARY_BYTES,
    render_report,
)
from ci_gate.report.headline import explain_effect, summarise_in_a_sentence
from ci_gate.report.markdown import render_markdown
from ci_gate.report.report import Report
from ci_gate.report.reproduction import list_commands
from tests.report.examples import CHANGES, COMPARED, EXAMPLES, PAGE_URL, RUN_URL, approval
from tests.report.github_text import find_references, render
from tests.report.test_escape import hostile_text
from tests.report.verdicts import (
    SHA,
    cause,
    change,
    diagnosis,
    duet,
    endpoint,
    finding,
    growth,
    limit,
    not_compared,
    scenario,
    verdict,
)

GOLDEN = Path(__file__).with_name("golden")
GITHUB_MAX_CHARACTERS = 65_536
TAGS = {
    "h2", "p", "code", "strong", "em", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details",
    "summary", "sub", "pre", "a",
}  # fmt: skip

BROKEN_TWICE = scenario("a", "FAIL", limits=[limit(outcome="FAIL")] * 2)


def comment(report):
    return render_report(report, MAX_COMMENT_BYTES)


def check_page(text, *, run_url=""):
    """What holds of every comment, whoever wrote the names in it."""
    rendered = render(text)
    assert set(rendered.tags) <= TAGS
    repository = run_url.partition("/actions/")[0]
    assert bool(rendered.links) is bool(run_url)
    assert all(link.startswith(f"{repository}/") for link in rendered.links)
    assert find_references(rendered) == {}
    for rows in rendered.tables:
        assert len(rows) >= 2
        assert len(set(rows)) == 1
    return rendered


def shown(text):
    return "".join(render(text).text).replace("\u200b", "").replace("\u00a0", " ")


@pytest.mark.parametrize("name", EXAMPLES)
def test_comment__is_as_in_the_golden_file(name):
    assert comment(EXAMPLES[name]) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def test_golden_files__are_all_compared():
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_comment__is_safe_and_its_tables_whole(name):
    check_page(comment(EXAMPLES[name]), run_url=EXAMPLES[name].run_url)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (Report(verdict=verdict()), "PASS: 1 scenario kept its only limit"),
        (EXAMPLES["fail"], "FAIL: burst-load broke 4 limits, cab-approvals could not be judged"),
        (EXAMPLES["invalid"], "INVALID: cab-approvals could not be judged: the service did not start"),
        (EXAMPLES["pass"], "PASS: 2 scenarios kept all 6 limits, none worse than base"),
        (EXAMPLES["loosened"], "FAIL: thresholds are loosened without approval"),
        (EXAMPLES["loosened-approved"], "PASS: 2 scenarios kept all 6 limits"),
        (
            Report(verdict=verdict(scenario("a", "INCONCLUSIVE"), outcome="INCONCLUSIVE")),
            "INCONCLUSIVE: a may be worse than base: this run could not tell",
        ),
        (
            Report(verdict=verdict(BROKEN_TWICE, outcome="FAIL")),
            "FAIL: a broke 2 limits",
        ),
        (
            Report(verdict=verdict(scenario("a", "FAIL"), outcome="FAIL")),
            "FAIL: a failed, but no limit is named",
        ),
        (EXAMPLES["worse-than-base"], "FAIL: checkout became worse than base in 5 figures, search may"),
        (
            Report(
                verdict=verdict(
                    scenario("a", "FAIL", limits=[limit(outcome="FAIL")], comparison=duet(change())),
                    outcome="FAIL",
                )
            ),
            "FAIL: a broke 1 limit and became worse than base in 1 figure",
        ),
        (Report(verdict=verdict(outcome="INVALID", findings=[finding()])), "INVALID: the run could not be"),
    ],
)  # fmt: skip
def test_headline__says_what_happened(report, sentence):
    assert summarise_in_a_sentence(report).startswith(sentence)
    assert sentence in shown(comment(report)).split("\n", 1)[0]


@pytest.mark.parametrize("name", ["pass", "loosened-approved"])
def test_pass__is_one_fold_below_what_matters(name):
    lines = [line for line in comment(EXAMPLES[name]).splitlines() if line]
    assert lines[0].startswith("## ✅ PASS")
    fold = lines.index("<details><summary>Figures, limits, and how to reproduce</summary>")
    assert fold == (2 if name == "pass" else 5)
    assert lines[-1] == "</details>"
    assert lines.count("</details>") == 1


def test_fail__is_open_but_for_what_few_need():
    text = comment(EXAMPLES["worse-than-base"])
    opened = text.partition("<details>")[0]
    assert "| ❌ FAIL `checkout` | p95 **4.2\u00a0→ 304\u00a0ms** (72.4x) |" in opened
    assert "**Why:** **head sends many more statements for a request than base**" in opened
    assert "for each success 21 calls and 1.68 ms on head, 0 calls" in shown(opened)
    assert "**Which code:** `load_prices` in `shop/prices.py:41`" in opened
    assert "*To decide it:* about 9 minutes under load" in opened
    assert text.count("<details>") == 8


@pytest.mark.parametrize("causes", [(), (cause("unknown", title="something that was not observed"),)])
def test_why__that_is_not_known_says_what_was_not_observed(causes):
    one = scenario("a", "FAIL", diagnosis=diagnosis(*causes, unknown=["the database: it has no probe"]))
    opened = comment(Report(verdict=verdict(one, outcome="FAIL"))).partition("<details>")[0]
    assert opened.rstrip().endswith("Not observed: the database: it has no probe.")


def test_statements__that_grew_have_a_folded_table_and_break_nothing():
    columns = ", ".join(f"column_{number}" for number in range(30))
    statements = (
        growth(),
        growth(f"SELECT {columns} FROM orders WHERE id = $1", calls=(0.0, 1.0), ms=(0.0, 0.3)),
        growth("SELECT `a|b` <!-- @everyone --> FROM t"),
    )
    one = scenario("shop", "FAIL", diagnosis=diagnosis(cause(), statements=statements))
    text = comment(Report(verdict=verdict(one, outcome="FAIL")))
    folded = text.partition("<summary>Statements that grew against base, for each success</summary>")[2]
    rows = [line for line in folded.partition("</details>")[0].splitlines() if line.startswith("|")]
    assert rows[0] == "| calls, base | calls, head | ms, base | ms, head | statement |"
    assert rows[2] == "| 1 | 42 | 0.05 | 2.1 | `SELECT price FROM prices WHERE item = $1` |"
    assert rows[3] == "| 0 | 1 | 0 | 0.3 | `SELECT … FROM orders WHERE id = $1` |"
    assert rows[4].count("|") == 6
    assert "@everyone" not in rows[4]
    assert "Statements that grew" not in comment(
        Report(verdict=verdict(scenario("shop", "FAIL", diagnosis=diagnosis(cause())), outcome="FAIL"))
    )


@pytest.mark.parametrize("outcome", ["PASS", "INVALID", "INCONCLUSIVE"])
def test_why__is_told_of_what_failed_alone(outcome):
    one = scenario("a", outcome, diagnosis=diagnosis(cause()))
    assert "**Why:**" not in comment(Report(verdict=verdict(one, outcome=outcome)))


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (EXAMPLES["worse-than-base"], "3f2a91c against main at 91bd2aa · report · run"),
        (
            EXAMPLES["pass"],
            "3f2a91c against main at 91bd2aa · nearest limit: connector-scaling all p95, 71 % used",
        ),
        (EXAMPLES["fail"], "3f2a91c, not compared with base · report · run"),
        (EXAMPLES["bad-thresholds"], "3f2a91c · report · run"),
        (
            Report(verdict=verdict(scenario(comparison=COMPARED), git={"head": SHA, "base": "v1"})),
            "0123456 against v1",
        ),
        (Report(verdict=verdict(scenario(comparison=COMPARED), git={})), "against base"),
        (
            Report(
                verdict=verdict(
                    findings=[
                        finding("nothing-compared", "info", "run", "nothing was compared: base has no file")
                    ]
                )
            ),
            "0123456, not compared with base (base has no file)",
        ),
    ],
)
def test_second_line__names_both_commits_as_the_pull_request_does(report, says):
    second = shown(comment(report)).split("\n")[1]
    assert second.startswith(says)


def test_footer__names_the_machines():
    machine = Environment(
        cpu_model="AMD EPYC 7763",
        cpus=4,
        memory_bytes=0,
        machine="x86_64",
        kernel="",
        image="",
        image_version="",
        python="",
        locust="",
    )
    text = shown(comment(Report(verdict=verdict(scenario(environment=machine)))))
    assert "measured on AMD EPYC 7763, 4 cores, x86_64" in text


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("POST /api/v1/deployments", "`POST /api/v1/deployments`"),
        ("POST /api/v1/connectors/{plane}/remediate", "`POST …/{plane}/remediate`"),
        ("GET /" + "x" * 50, "`GET /xxxxxxxxxxxxxxxxxx…`"),
        ("a name without a path that is long", "`a name without a path t…`"),
    ],
)
def test_endpoint__is_short_in_the_table_and_whole_in_the_reason(name, shown_as):
    one = scenario("a", "FAIL", limits=[limit(name, outcome="FAIL")])
    text = comment(Report(verdict=verdict(one, outcome="FAIL")))
    assert f"(71\u00a0%) {shown_as} |" in text
    assert f"- ❌ `{name} p95` was" in text


def test_page__is_linked_where_its_address_is_known():
    assert f"[report]({PAGE_URL})" in comment(EXAMPLES["pass"])
    assert f"[report]({RUN_URL}#artifacts)" in comment(EXAMPLES["fail"])


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (
            EXAMPLES["invalid"],
            "The run shows neither that this change is good nor that it is bad, so it blocks",
        ),
        (
            EXAMPLES["bad-thresholds"],
            "Nothing was measured, so it blocks the merge. Fix what is listed, and push.",
        ),
        (EXAMPLES["inconclusive"], "It does not block the merge (on_inconclusive: warn)"),
        (
            Report(verdict=verdict(scenario("a", "INCONCLUSIVE"), outcome="INCONCLUSIVE", blocks=True)),
            "It blocks the merge (on_inconclusive: block)",
        ),
        (EXAMPLES["pass"], ""),
        (EXAMPLES["fail"], ""),
        (EXAMPLES["loosened"], ""),
    ],
)
def test_effect__says_whether_it_blocks_and_what_to_do(report, says):
    assert says in explain_effect(report)
    assert bool(says) is bool(explain_effect(report))
    assert says in shown(comment(report)).partition("Figures, limits")[0]


def test_loosening_without_approval__shows_what_it_is_worth_open():
    opened = comment(EXAMPLES["loosened"]).partition("<details>")[0]
    assert "- `burst-load` `all` `p50`: `500ms` → `20s`" in opened
    assert "| `burst-load` | ❌\u00a0FAIL | ✅\u00a0PASS | `all p50` was" in opened
    assert "new-one" not in opened  # base has none that could be loosened
    assert "| `burst-load` | ❌" not in comment(EXAMPLES["loosened-approved"]).partition("<details>")[0]


@pytest.mark.parametrize(
    ("limits", "cell"),
    [
        ([limit()], "p95 212\u00a0ms of\u00a0300ms (71\u00a0%)"),
        (
            [limit(), limit(metric="p99", measured=391.0, text="500ms")],
            "p99 391\u00a0ms of\u00a0500ms (78\u00a0%)",
        ),
        (
            [limit(), limit("GET /a", "p50", 900.0, "300ms", outcome="FAIL")],
            "p50 **900\u00a0ms** of\u00a0300ms (3x) `GET /a`",
        ),
        ([limit(metric="rate", measured=60.0, text="50/s")], "p95 212\u00a0ms |"),
        ([], "p95 212\u00a0ms |"),
    ],
)
def test_latency__is_of_the_limit_of_which_most_is_used(limits, cell):
    one = scenario("a", "FAIL", limits=limits)
    assert f"| ❌ FAIL `a` | {cell}" in comment(Report(verdict=verdict(one, outcome="FAIL")))


@pytest.mark.parametrize(
    ("broken", "cell"),
    [
        (
            limit(metric="failures", measured=0.03, text="1%", outcome="FAIL"),
            "**3\u00a0%** of\u00a01% | 60/s |",
        ),
        (
            limit(metric="successes", measured=0.97, text="99%", outcome="FAIL"),
            "**97\u00a0%** of\u00a099% | 60/s |",
        ),
        (
            limit(metric="rate", measured=40.0, text="50/s", outcome="FAIL"),
            "0\u00a0% | **40/s** of\u00a050/s |",
        ),
        (limit("GET /a", "failures", 0.03, "1%", outcome="FAIL"), "0\u00a0% | 60/s |"),
    ],
)  # fmt: skip
def test_failures_and_rate__have_their_limit_where_it_is_broken(broken, cell):
    assert cell in comment(Report(verdict=verdict(scenario("a", "FAIL", limits=[broken]), outcome="FAIL")))


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        (
            [change("all", "p50", 0.02, outcome="PASS"), change("GET /a", "p95", 0.2)],
            "p95 **+20\u00a0%** (+16\u00a0to\u00a0+24) `GET /a`",
        ),
        ([change("all", "rate", -0.2), change("all", "p95", 0.2)], "p95 **+20\u00a0%**"),
        ([change("all", "p50", 0.02, outcome="PASS"), change("GET /a", outcome="PASS")], "p50 +2.0\u00a0%"),
        (
            [change("GET /a", size=0.2, outcome="INCONCLUSIVE"), change("all", "p50", 0.02, outcome="PASS")],
            "p95 +20\u00a0%",
        ),
        ([change("GET /a", outcome="PASS")], "not compared"),
        ([change("GET /a", size=0.35), change("all", size=0.2)], "p95 **+20\u00a0%**"),
        ([change("GET /a", size=0.45), change("all", size=0.2)], "p95 **+45\u00a0%**"),
    ],
)  # fmt: skip
def test_against_base__is_the_change_that_says_most(changes, cell):
    one = scenario("a", comparison=duet(*changes))
    assert f"`a` | {cell}" in comment(Report(verdict=verdict(one)))


def test_sentence__is_short_enough_for_a_commit_status():
    long = Report(verdict=verdict(scenario("x" * 500, "INVALID"), outcome="INVALID"))
    assert len(summarise_in_a_sentence(long)) <= 140


def test_scenarios__come_worst_first():
    scenarios = [scenario(name, name) for name in ("PASS", "INCONCLUSIVE", "INVALID", "FAIL")]
    page = shown(comment(Report(verdict=verdict(*scenarios, outcome="FAIL"))))
    places = [page.index(f"{name} {name}") for name in ("FAIL", "INVALID", "INCONCLUSIVE", "PASS")]
    assert places == sorted(places)


def test_scenario_without_evidence__has_a_whole_row():
    bare = scenario("bare", "INVALID", endpoints=(), limits=())
    both = Report(verdict=verdict(bare, scenario("a", limits=()), outcome="INVALID"))
    (rows, _) = check_page(comment(both)).tables
    assert rows == [4, 4, 4]


def test_run_without_any_figure__has_no_table():
    bare = scenario("bare", "INVALID", endpoints=(), limits=())
    assert check_page(comment(Report(verdict=verdict(bare, outcome="INVALID")))).tables == []


def test_many_breaches__are_counted_and_folded():
    breaches = [limit(f"GET /{number}", outcome="FAIL") for number in range(30)]
    text = comment(Report(verdict=verdict(scenario(outcome="FAIL", limits=breaches), outcome="FAIL")))
    assert text.count("must be at most") == 6
    assert "- 24 more, folded below" in text
    assert text.count("GET /29") == 1


def test_default_limit__is_said_to_be_one():
    text = comment(Report(verdict=verdict(scenario(limits=[limit(line=None)]))))
    assert "(default)" in text


def make_huge(*, scenarios=1, endpoints=1, findings=0, changes=0, name="GET /x|`y`\\"):
    rows = [endpoint(f"{name}{number}") for number in range(endpoints)]
    limits = [limit(f"{name}{number}", outcome="FAIL") for number in range(endpoints)]
    found = [finding(message=f"{name} {number} " * 20) for number in range(findings)]
    many = [
        scenario(f"{name} {number}", "FAIL", endpoints=rows, limits=limits, findings=found)
        for number in range(scenarios)
    ]
    return Report(
        verdict=verdict(*many, outcome="FAIL", findings=found),
        changes=CHANGES * changes,
        approval=approval(is_given=False),
    )


@pytest.mark.parametrize(
    ("size", "missing", "kept"),
    [
        ({"endpoints": 300}, "endpoint", "limits"),
        ({"endpoints": 2000}, "limit", "threshold"),
        ({"findings": 500}, "finding", "limit"),
        ({"findings": 5000}, "9,", "limit"),
        ({"changes": 1000}, "threshold change", "must be"),
        ({"scenarios": 2000}, "scenario", "loosened"),
        ({"scenarios": 300, "endpoints": 20, "findings": 5}, "reason", "scenario"),
    ],
)
def test_huge_comment__leaves_out_whole_rows_and_says_how_many(size, missing, kept):
    text = comment(make_huge(**size))
    assert len(text.encode()) <= MAX_COMMENT_BYTES < GITHUB_MAX_CHARACTERS
    check_page(text)
    (left_out,) = [line for line in text.split("\n") if line.startswith("*Left out to fit: ")]
    assert missing in left_out
    assert kept in text
    assert "<sub>Profile" in text


def test_what_fits__is_not_left_out():
    report = make_huge(endpoints=30)
    assert "Left out" not in comment(report)
    assert comment(report).count("GET /x") > 60


def test_order__endpoints_go_before_limits_and_those_before_reasons():
    report = make_huge(scenarios=4, endpoints=60)
    sizes = (60_000, 30_000, 12_000, 6_000)
    pages = [render_report(report, size) for size in sizes]
    assert all(len(page.encode()) <= size for page, size in zip(pages, sizes, strict=True))
    assert [page.count("<summary>") for page in pages] == [3, 2, 2, 0]
    assert all("must be at most" in page for page in pages[:3])
    assert all(page.count("| ❌ FAIL") == 4 for page in pages)


def test_left_out_rows__are_counted_exactly():
    report = make_huge(scenarios=1, endpoints=400)
    text = comment(report)
    rows = len([line for line in text.split("\n") if line.startswith("| <code>GET")])
    assert 0 < rows < 400
    assert f"{400 - rows} endpoints" in text


def test_summary__has_room_for_what_the_comment_leaves_out():
    report = make_huge(endpoints=300)
    assert "Left out" in comment(report)
    assert "Left out" not in render_report(report, MAX_SUMMARY_BYTES)
    assert "GET /x" in render_markdown(report.verdict)


def test_regression__is_a_reason_and_an_unclear_one_only_where_it_decides():
    unclear = duet(change(outcome="INCONCLUSIVE"), change("GET /a", "p50"))
    text = comment(Report(verdict=verdict(scenario("a", "FAIL", comparison=unclear), outcome="FAIL")))
    assert (
        "- ❌ `GET /a p50` went from 200 to 225 ms against base, **+12 %** (+8 to +16); the tolerance" in text
    )
    assert "❓" not in text.partition("<details>")[0]
    unclear = duet(change(outcome="INCONCLUSIVE"), outcome="INCONCLUSIVE")
    text = comment(Report(verdict=verdict(scenario("a", "INCONCLUSIVE", comparison=unclear))))
    assert "- ❓ `all p95` went from 200 to 225 ms against base, **+12 %** (+8 to +16); the toler" in text


def test_side_that_cannot_be_judged__is_shown_with_the_comparison():
    one = scenario("a", comparison=duet(findings=[finding(subject="base", message="throttled")]))
    assert "🚫 `base`: throttled" in comment(Report(verdict=verdict(one)))


def test_diagnosis__is_folded_and_says_what_comes_next():
    page = shown(comment(EXAMPLES["fail"]))
    assert "Diagnosis: what held the requests up" in page
    assert "(connection-pool, 94 % of the requests' time): 5.0 of 5" in page
    assert "Next: give connections back" in page
    assert "not observed: the database" in page


def test_diagnosis__of_a_pass_is_what_runs_out_first():
    one = scenario("a", diagnosis=diagnosis(cause("service-cpu", 1.0, title="the service's CPU")))
    page = shown(comment(Report(verdict=verdict(one))))
    assert "its limits are kept; this is what runs out first" in page
    assert "the service's CPU (service-cpu, 100 % of the requests' time)" in page
    quiet = scenario("a", diagnosis=diagnosis(unknown=["the database"]))
    assert "Diagnosis" not in comment(Report(verdict=verdict(quiet)))


@settings(max_examples=25, deadline=None)
@given(
    name=hostile_text,
    subject=hostile_text,
    count=st.sampled_from([1, 3, 30]),
    max_bytes=st.sampled_from([20_000, MAX_COMMENT_BYTES]),
)
def test_hostile_verdict__is_always_within_the_size_with_whole_tables(name, subject, count, max_bytes):
    rows = [endpoint(name, statuses={subject: 1, name: 2}) for _ in range(count)]
    one = scenario(
        subject,
        "FAIL",
        endpoints=rows,
        limits=[limit(name, outcome="FAIL", text=subject)] * count,
        findings=[finding(subject, subject=name, message=subject, remedy=name)] * count,
        comparison=duet(
            *[change(name)] * count,
            not_compared=[not_compared(subject)] * count,
            findings=[finding(name, message=subject)],
        ),
        diagnosis=diagnosis(
            *[cause(name, title=subject, numbers=(name, subject), next_step=name)] * count, unknown=[subject]
        ),
    )
    hostile = verdict(*[one] * count, outcome="FAIL", head=name, profile=subject, started_at=name)
    text = render_report(Report(verdict=hostile), max_bytes)
    assert len(text.encode()) <= max_bytes
    check_page(text)


@pytest.mark.parametrize(
    ("git", "commands"),
    [
        ({}, ("ci-gate run --profile quick",)),
        ({"head": SHA}, (f"git checkout {SHA}", "ci-gate run --profile quick")),
        ({"base": "main"}, ("ci-gate run --profile quick --base main",)),
        ({"base": "$(reboot) x"}, ("ci-gate run --profile quick --base '$(reboot) x'",)),
        ({"base": "https://me:secret@shop.test"}, ("ci-gate run --profile quick",)),
        ({"base": "x" * 2000}, ("ci-gate run --profile quick",)),
    ],
)
def test_reproduction__repeats_the_base_and_quotes_it(git, commands):
    assert list_commands(verdict(git=git, profile="quick"), (scenario(), scenario(), scenario())) == commands


OCCASION = Occasion(
    event="pull_request",
    pull_number=7,
    head_sha="b" * 40,
    base_ref="main",
    base_sha="c" * 40,
    run_id=1,
    run_attempt=1,
)
CHECKOUT = ("git fetch origin pull/7/head", f"git checkout {'b' * 40}")
WITH_BASE = (f"git fetch origin pull/7/head {'c' * 40}", f"git checkout {'b' * 40}")


@pytest.mark.parametrize(
    ("values", "commands"),
    [
        ({"git": {"head": SHA}}, (*CHECKOUT, "ci-gate run --profile quick")),
        (
            {"git": {"head": SHA, "base": "c" * 40}},
            (*WITH_BASE, f"ci-gate run --profile quick --base {'c' * 40}"),
        ),
        (
            {"git": {"head": SHA, "base": "v1.2"}},
            (*CHECKOUT, "ci-gate run --profile quick --base v1.2"),
        ),
        (
            {"thresholds_file": "load/my thresholds.yaml", "options": {"users": "5"}},
            (*CHECKOUT, "ci-gate run --profile quick --thresholds 'load/my thresholds.yaml' --users 5"),
        ),
        ({"options": {"processes": "auto"}}, (*CHECKOUT, "ci-gate run --profile quick --processes auto")),
        ({"options": {"image": "shop:1"}}, (*CHECKOUT, "ci-gate run --profile quick --image shop:1")),
        (
            {
                "git": {"head": SHA, "base": "gate-base"},
                "options": {"image": "gate-head", "dockerfile": "docker/Dockerfile"},
            },
            (
                *WITH_BASE,
                "docker build --file docker/Dockerfile --tag gate-head .",
                f"git worktree add ../gate-base {'c' * 40}",
                "docker build --file ../gate-base/docker/Dockerfile --tag gate-base ../gate-base",
                "ci-gate run --profile quick --image gate-head --base gate-base",
            ),
        ),
        (
            {
                "git": {"head": SHA, "base": "gate-base:shop"},
                "options": {
                    "image": "gate-head:shop",
                    "dockerfile": "shop/Dockerfile",
                    "context": "shop",
                },
            },
            (
                *WITH_BASE,
                "docker build --file shop/Dockerfile --tag gate-head:shop shop",
                f"git worktree add ../gate-base {'c' * 40}",
                "docker build --file ../gate-base/shop/Dockerfile --tag gate-base:shop ../gate-base/shop",
                "ci-gate run --profile quick --image gate-head:shop --base gate-base:shop",
            ),
        ),
    ],
)
def test_reproduction__is_what_a_reader_can_run(values, commands):
    made = verdict(**{"git": {}, "profile": "quick", "occasion": OCCASION, **values})
    assert list_commands(made, (scenario(),)) == commands


def write_goldens():
    for name, report in EXAMPLES.items():
        (GOLDEN / f"{name}.md").write_text(comment(report), encoding="utf-8")


if __name__ == "__main__":
    write_goldens()
