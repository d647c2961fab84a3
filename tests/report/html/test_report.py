"""report.html and overview.html: one golden page, and what each part says.

After a wanted change, write the golden page again with ``python -m tests.report.html.test_report``, and look.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings

from ci_gate.evidence.environment import Environment
from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.diagnosis.causes import Cause
from ci_gate.judge.timeline.run_timeline import TIMELINE_SCHEMA, RunTimeline, ScenarioTimeline
from ci_gate.judge.timeline.timeline import PhaseSpan, Timeline
from ci_gate.report.html.advice import advise
from ci_gate.report.html.overview import OverviewRun, render_overview
from ci_gate.report.html.report import MAX_REASONS, render_html
from ci_gate.report.limits import find_tightest
from ci_gate.report.report import Report
from tests.report.examples import BURST, DEPLOYMENTS, DIGEST, EXAMPLES
from tests.report.test_escape import hostile_text
from tests.report.verdicts import change, duet, endpoint, finding, growth, limit, scenario, verdict

GOLDEN = Path(__file__).with_name("fail.html")
DIAGNOSIS = Diagnosis(
    causes=(
        Cause(
            code="connection-pool",
            title="the connection pool is too small",
            numbers=("5 of 5 connections in use", "60 requests waiting"),
            next_step="raise the pool's size",
            share=0.8,
        ),
    ),
    unknown=("the workers of the service",),
)
TIMELINE = Timeline(
    begin_s=1_795_000_000.0,
    span_s=1,
    time_s=(0.0, 1.0, 2.0, 3.0),
    phases=(
        PhaseSpan(name="ramp-up", begin_s=0.0, end_s=1.0),
        PhaseSpan(name="steady", begin_s=1.0, end_s=4.0),
    ),
    series={
        "rate": {"successes": (10.0, 80.0, 60.0, 79.0), "failures": (0.0, 0.0, 3.0, 0.0)},
        "latency": {"p50": (None, 38.0, 39.5, 37.0), "p95": (None, 90.0, 96.1, 99.0), "p99": (None,) * 4},
        "pool": {"pool_size": (5.0,) * 4, "pool_in_use": (0.0, 3.0, 5.0, None)},
    },
)
TIMELINES = RunTimeline(
    schema=TIMELINE_SCHEMA,
    scenarios=(
        ScenarioTimeline(
            scenario="concurrent-deployments",
            recordings={"head": TIMELINE, "duet-base": TIMELINE, "duet-head": TIMELINE},
            edges_ms=(10.0, 20.0, 50.0, 100.0),
            counts={"head": (1, 2, 1), "duet-base": (2, 2, 0), "duet-head": (0, 2, 2)},
        ),
    ),
)
HISTORY = (
    OverviewRun(
        name="nightly 2", verdict=verdict(DEPLOYMENTS, BURST, started_at="2026-11-22"), href="2/report.html"
    ),
    OverviewRun(name="nightly 1", verdict=verdict(DEPLOYMENTS, started_at="2026-11-21")),
)


def render_failed():
    diagnosed = msgspec.structs.replace(BURST, diagnosis=DIAGNOSIS)
    return render_html(Report(verdict=verdict(DEPLOYMENTS, diagnosed, outcome="FAIL")), TIMELINES)


def test_statements__that_grew_have_a_table():
    statements = (growth(), growth("SELECT 1 < 2 FROM t", calls=(0.0, 1.0), ms=(0.0, 0.3)))
    grown = msgspec.structs.replace(
        BURST, diagnosis=msgspec.structs.replace(DIAGNOSIS, statements=statements)
    )
    page = render_html(Report(verdict=verdict(DEPLOYMENTS, grown, outcome="FAIL")), TIMELINES)
    assert "Statements against base" in page
    assert "<code>SELECT price FROM prices WHERE item = $1</code>" in page
    assert "<code>SELECT 1 &lt; 2 FROM t</code>" in page
    assert '<td class="number" data-key="42.0">42</td>' in page
    assert "Statements against base" not in render_failed()


def bare(page):
    """A page without what it brings along, and each of its charts on a line of its own."""
    page = re.sub(
        r"<style>.*?</style>\n|<script>.*?</script>\n|<!--.*?-->\n|<meta [^>]*>\n", "", page, flags=re.DOTALL
    )
    charts = "\n".join(json.dumps(chart, ensure_ascii=False) for chart in read_charts(page).values())
    return re.sub(r'(id="charts">).*?(</script>)', lambda found: f"{found[1]}\n{charts}\n{found[2]}", page)


def read_charts(page):
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])


def text_of(page):
    without = re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without)).replace("\u00a0", " ").split())


def test_page__is_as_in_the_golden_file():
    assert bare(render_failed()) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("invalid", "scenario the service did not start: [Errno 98] Address already in use run the run was"),
        ("invalid", "What to do next run : run again, to the end. cab-approvals : scenario: fix what"),
        ("invalid", "cab-approvals INVALID - - - - - - - 50"),
        ("worse-than-base", "POST /api/v1/orders failures broken 0.1 % 1.2 % +1.1 pp +0.8 to +1.4 0.5 %"),
        ("worse-than-base", "all rate kept 59.1/s 57.9/s -2.0 % -6.0 to +2.0 5 % 6.2 %"),
        ("worse-than-base", "GET /api/v1/orders/{id} p99 was not compared: too few samples (12 on base, 15"),
        ("worse-than-base", "Against base 5 worse of 9 comparisons"),
        ("loosened", "p50 loosened 500ms 20s burst-load all p95 loosened 1s - burst-load POST /api/v1"),
        ("loosened", "burst-load FAIL PASS all p50 was 19,400 ms, must be at most 500ms: 38.8 times"),
        ("loosened", "; POST /api/v1/deployments p95 has no figure concurrent-deployments PASS PASS -"),
    ],
)  # fmt: skip
def test_page__says_what_its_example_is_about(name, says):
    assert says in text_of(render_html(EXAMPLES[name], None))


def test_many_reasons__are_counted():
    limits = [limit(f"GET /{number}", outcome="FAIL") for number in range(30)]
    page = text_of(
        render_html(Report(verdict=verdict(scenario("a", "FAIL", limits=limits), outcome="FAIL")), None)
    )
    assert f"and {30 - MAX_REASONS} more, in the sections below" in page


def test_advice__is_what_the_diagnosis_says_next():
    diagnosed = msgspec.structs.replace(BURST, diagnosis=DIAGNOSIS)
    (advice,) = advise(Report(verdict=verdict(diagnosed, outcome="FAIL")))
    assert advice.text == "the connection pool is too small: raise the pool's size"
    assert advice.href == "#s0-diagnosis"
    (advice,) = advise(
        Report(verdict=verdict(msgspec.structs.replace(BURST, diagnosis=None), outcome="FAIL"))
    )
    assert "nothing that was observed explains it" in advice.text


@pytest.mark.parametrize(
    ("outcome", "shown"), [("PASS", True), ("FAIL", True), ("INVALID", False), ("INCONCLUSIVE", False)]
)
def test_page__that_nothing_was_saturated_explains_no_run_that_was_not_judged(outcome, shown):
    nothing = scenario("a", outcome, diagnosis=Diagnosis(causes=(), unknown=()))
    page = render_html(Report(verdict=verdict(nothing, outcome=outcome)), None)
    assert ("Nothing that was observed was saturated." in page) == shown


def test_advice__on_findings_is_their_remedy_each_once():
    twice = scenario("a", "INVALID", findings=[finding(remedy="run longer")] * 2)
    (advice,) = advise(Report(verdict=verdict(twice, outcome="INVALID")))
    assert advice.text.endswith("run longer")
    assert " more: " not in advice.text


def test_advice__begins_with_the_cause_and_joins_what_one_remedy_fixes():
    few = [finding(subject=f"GET /{name}", severity="insufficient", remedy="run longer") for name in "abc"]
    failed = msgspec.structs.replace(scenario("a", "FAIL", findings=few), diagnosis=DIAGNOSIS)
    cause, rest = advise(Report(verdict=verdict(failed, outcome="FAIL")))
    assert cause.text.startswith("the connection pool is too small")
    assert rest.text == "GET /a and 2 more: run longer"


def test_advice__on_a_pass_is_only_about_a_tight_limit():
    assert advise(Report(verdict=verdict())) == ()
    tight = scenario(limits=[limit(measured=297.0)])
    (advice,) = advise(Report(verdict=verdict(tight)))
    assert "99 % of the limit" in advice.text


def test_advice__on_an_unapproved_loosening_is_the_label():
    assert advise(EXAMPLES["loosened"])[0].subject == f"thresholds-approved:{DIGEST}"
    assert advise(EXAMPLES["loosened-approved"]) == ()


def test_tightest__counts_floors_upside_down():
    loose = limit(measured=30.0, bound=300.0)
    floor = limit(metric="rate", measured=60.0, bound=50.0)
    _, found, used = find_tightest([scenario(limits=[loose, floor])])
    assert (found.metric, round(used, 3)) == ("rate", 0.833)
    assert find_tightest([scenario(limits=[limit(outcome="FAIL")])]) is None


def test_charts__are_those_that_there_is_something_to_draw_for():
    charts = read_charts(render_html(Report(verdict=verdict(DEPLOYMENTS)), TIMELINES))
    both = ["distribution", "both-rate", "both-latency", "both-pool"]
    assert [key.removeprefix("s0-") for key in charts] == [*both, "rate", "latency", "pool"]
    labels = {mark["label"]: mark["tone"] for mark in charts["s0-latency"]["marks"]}
    assert labels == {"p50 ≤ 200ms, kept": "pass", "p99 ≤ 500ms, kept": "pass"}
    assert [span["label"] for span in charts["s0-rate"]["spans"] if not span["is_plain"]] == ["ramp-up"]


def test_charts__broken_limits_are_marked_as_such():
    broken = scenario("concurrent-deployments", "FAIL", limits=[limit(outcome="FAIL")])
    charts = read_charts(render_html(Report(verdict=verdict(broken, outcome="FAIL")), TIMELINES))
    assert [(mark["label"], mark["tone"]) for mark in charts["s0-latency"]["marks"]] == [
        ("p95 ≤ 300ms, broken", "fail")
    ]


def test_charts__without_a_timeline_are_said_to_be_missing():
    page = text_of(render_html(Report(verdict=verdict(DEPLOYMENTS)), None))
    assert "No charts" in page
    assert "ci-gate judge" in page


def test_duet__is_drawn_on_one_clock():
    later = msgspec.structs.replace(TIMELINE, begin_s=TIMELINE.begin_s + 1)
    (drawn,) = TIMELINES.scenarios
    recordings = drawn.recordings | {"duet-head": later}
    moved = msgspec.structs.replace(
        TIMELINES, scenarios=(msgspec.structs.replace(drawn, recordings=recordings),)
    )
    chart = read_charts(render_html(Report(verdict=verdict(DEPLOYMENTS)), moved))["s0-both-latency"]
    lines = {line["label"]: line for line in chart["lines"]}
    assert lines["p95 base"]["values"] == [None, 90.0, 96.1, 99.0]
    assert lines["p95 head"]["values"] == [None, None, 90.0, 96.1]
    assert [line["is_dashed"] for line in chart["lines"]] == [True, False] * (len(lines) // 2)
    assert lines["p95 base"]["colour"] == lines["p95 head"]["colour"]


def test_both_sides__are_on_one_chart_for_every_metric_that_either_has():
    (drawn,) = TIMELINES.scenarios
    alone = msgspec.structs.replace(TIMELINE, series={"failures": {"503": (None, 1.0, 2.0, 0.0)}})
    recordings = drawn.recordings | {"duet-head": alone}
    moved = msgspec.structs.replace(
        TIMELINES, scenarios=(msgspec.structs.replace(drawn, recordings=recordings),)
    )
    charts = read_charts(render_html(Report(verdict=verdict(DEPLOYMENTS)), moved))
    labels = [line["label"] for line in charts["s0-both-failures"]["lines"]]
    assert labels == ["503 base", "503 head"]
    assert "s0-both-rate" in charts


def test_page__begins_with_what_changed():
    page = text_of(render_html(EXAMPLES["worse-than-base"], None))
    changed = page.index("What is not as on base")
    assert "all p95 checkout broken 4.2 ms 304 ms 72.4x 61.2x to 87.1x 20 %" in page
    assert "all p95 search unclear" in page
    assert changed < page.index("What to do next") < page.index("Scorecard")
    assert "What is not as on base" not in text_of(render_html(EXAMPLES["pass"], None))
    page = text_of(render_html(EXAMPLES["loosened"], None))
    assert page.index("Changes of the thresholds") < page.index("What to do next")


def environment(**facts):
    values = {
        "cpu_model": "AMD EPYC 7763",
        "cpus": 4,
        "memory_bytes": 16 * 1024**3,
        "machine": "x86_64",
        "kernel": "6.11.0",
        "image": "ubuntu24",
        "image_version": "20261101.1",
        "python": "3.12.3",
        "locust": "2.42.0",
    }
    return Environment(**(values | facts))


def test_machine__is_shown_once_where_all_scenarios_had_the_same():
    one, two = (scenario(name, environment=environment()) for name in ("a", "b"))
    page = text_of(render_html(Report(verdict=verdict(one, two)), None))
    assert "this run CPU AMD EPYC 7763, 4 cores, x86_64 memory 16 GiB kernel 6.11.0 system ubuntu24" in page
    assert "branch is not known here" in page
    assert "Where it was measured" not in text_of(render_html(Report(verdict=verdict()), None))


def test_machine__differs_between_scenarios_and_from_the_last_run_of_base():
    one, two = scenario("a", environment=environment()), scenario("b", environment=environment(cpus=2))
    before = {"a": environment(kernel="6.8.0"), "b": environment(kernel="6.8.0")}
    report = Report(verdict=verdict(one, two), base_environments=before)
    page = text_of(render_html(report, None))
    assert "a, this run b, this run last run of base's branch same?" in page
    assert "CPU AMD EPYC 7763, 4 cores, x86_64 AMD EPYC 7763, 2 cores, x86_64 AMD EPYC 7763, 4 cores" in page
    assert "kernel 6.11.0 6.11.0 6.8.0 differs" in page
    assert "Python 3.12.3 3.12.3 3.12.3 same" in page


def test_findings_about_the_run__are_shown_notes_too():
    note = finding("scenarios-left-out", "info", "run", "not run: checkout", "nothing to do")
    page = text_of(render_html(Report(verdict=verdict(findings=[note])), None))
    assert "Findings about the run run not run: checkout" in page
    assert "Findings about the run" not in text_of(render_html(Report(verdict=verdict()), None))


def test_run_url__is_a_link_only_where_it_is_one():
    page = render_html(Report(verdict=verdict(), run_url="https://ci.example/1"), None)
    assert 'href="https://ci.example/1"' in page
    page = render_html(Report(verdict=verdict(), run_url="javascript:alert(1)"), None)
    assert "javascript:" not in bare(page)


def test_overview__stands_as_the_latest_run_of_each_scenario_does():
    better = OverviewRun(name="new", verdict=verdict(scenario("a"), started_at="2026-11-23"))
    worse = OverviewRun(
        name="old", verdict=verdict(scenario("a", "FAIL"), outcome="FAIL", started_at="2026-11-22")
    )
    assert "PASS 1 scenario in 2 runs: 1 PASS" in text_of(render_overview([better, worse]))
    alone = render_overview([worse])
    assert "FAIL 1 scenario in 1 run: 1 FAIL" in text_of(alone)
    assert read_charts(alone) == {}


def test_overview__draws_each_scenario_that_ran_more_than_once_oldest_first():
    charts = read_charts(render_overview(HISTORY))
    assert set(charts) == {"t0-latency", "t0-rate", "t0-failures"}
    assert charts["t0-latency"]["x_names"] == ["nightly 1", "nightly 2"]
    page = text_of(render_overview(HISTORY))
    assert "FAIL 2 scenarios in 2 runs: 1 FAIL, 1 PASS" in page
    assert "burst-load FAIL nightly 2 2026-11-22 pull_request 0123456789ab 12,545 57.4/s 19,400 ms" in page


def test_overview__of_a_run_that_measured_nothing():
    empty = scenario("a", "INVALID", endpoints=(), limits=())
    runs = [
        OverviewRun(name=str(at), verdict=verdict(empty, outcome="INVALID", started_at=str(at)))
        for at in (1, 2)
    ]
    assert "INVALID 1 scenario in 2 runs" in text_of(render_overview(runs))


@settings(max_examples=20, deadline=None)
@given(name=hostile_text, text=hostile_text)
def test_hostile_text__makes_no_element_and_no_attribute(name, text):
    def page(name, text):
        one = scenario(
            name,
            "FAIL",
            endpoints=(endpoint(), endpoint(name, statuses={text: 1})),
            limits=[limit(name, text=text, outcome="FAIL")],
            findings=[finding(name, subject=text, message=name, remedy=text)],
            comparison=duet(change(text), findings=[finding(name, message=text)]),
        )
        report = Report(verdict=verdict(one, outcome="FAIL", head=text, profile=name, started_at=text))
        return re.sub(
            r"<(script|style)\b.*?</\1>|<title>.*?</title>", "", render_html(report, None), flags=re.DOTALL
        )

    assert tags_of(page(name, text)) == tags_of(page("a", "b"))


def tags_of(page):
    return [re.sub(r'"[^"]*"', '""', tag) for tag in re.findall(r"<[^>]*>", page)]


def test_page__of_a_comparison_made_twice_says_so_and_which_start_its_charts_are_of():
    twice, once = (text_of(render_html(EXAMPLES[name], None)) for name in ("not-confirmed", "inconclusive"))
    assert "a second start did not confirm what the first one showed; the charts are of the first" in twice
    assert "what the first start showed, the second did not: run it again" in twice
    assert "second start" not in once
    assert "confirmed on a second start" in text_of(render_html(EXAMPLES["worse-than-base"], None))


if __name__ == "__main__":
    GOLDEN.write_text(bare(render_failed()), encoding="utf-8")
