"""The reports whose comments are kept in golden/, one for each thing that a comment has to say well."""

from __future__ import annotations

from ci_gate.errors import Problem
from ci_gate.judge.changes.approval import Approval, digest_loosening
from ci_gate.judge.changes.rejudge import UnderBase
from ci_gate.judge.changes.threshold_changes import ThresholdChange
from ci_gate.judge.gate.mistakes import add_mistakes, make_empty_verdict
from ci_gate.judge.occasion import Occasion
from ci_gate.report.report import Report
from tests.report.verdicts import (
    cause,
    change,
    confirm,
    diagnosis,
    duet,
    endpoint,
    finding,
    limit,
    not_compared,
    scenario,
    verdict,
)

RUN_URL = "https://github.com/shop/shop/actions/runs/42"
PAGE_URL = f"{RUN_URL}/artifacts/7"
PULL = Occasion(
    event="pull_request",
    pull_number=7,
    head_sha="3f2a91c0d4b5e6f7890123456789abcdef012345",
    base_ref="main",
    base_sha="91bd2aa7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1",
    run_id=42,
    run_attempt=1,
)

DEPLOYMENTS = scenario(
    "concurrent-deployments",
    endpoints=(
        endpoint(requests=4752, p50=38.2, p95=96.1, p99=142.0),
        endpoint("GET /api/v1/deployments", 951, p50=31.0, p95=74.2, p99=101.0),
        endpoint("GET /api/v1/deployments/{id}", 948, p50=22.4, p95=51.9, p99=77.1),
        endpoint("POST /api/v1/deployments", 2853, p50=44.8, p95=108.3, p99=151.2),
    ),
    limits=(
        limit(metric="p50", measured=38.2, text="200ms", line=38),
        limit(metric="p99", measured=142.0, text="500ms", line=38),
        limit(metric="failures", measured=0.0, text="1%", line=38),
        limit(metric="rate", measured=79.2, text="50/s", line=38),
        limit("POST /api/v1/deployments", measured=108.3, line=39),
    ),
    findings=(
        finding(
            "duplicates", "info", "scenario", "2 of 4,752 requests were sent twice by Locust", "nothing to do"
        ),
    ),
)
APPROVALS = scenario(
    "cab-approvals",
    "INVALID",
    users=50,
    endpoints=(endpoint(requests=1240, failures=148, p50=13.0, p95=41.0, p99=None),),
    limits=(
        limit(
            metric="p99", measured=None, text="500ms", outcome="INVALID", samples=1092, needed=2000, line=52
        ),
    ),
    findings=(
        finding(
            "throttled",
            "invalid",
            "GET /api/v1/approvals",
            "148 replies were 429 Too Many Requests (11.9 %)",
            "raise the limit per user for the load test's own users in the configuration of the service",
        ),
    ),
    diagnosis=diagnosis(
        cause(
            "throttle",
            0.119,
            title="throttling (429, or 403 and 503 with Retry-After)",
            numbers=("148 of 1,240 requests were told to come later", "GET /api/v1/approvals: 148 of 620"),
            next_step="raise the service's limit for the test's users or their one address",
            share_of="requests",
        ),
        unknown=("the database: thresholds.yaml has no probe postgres that shows it",),
    ),
)
BURST = scenario(
    "burst-load",
    "FAIL",
    users=1000,
    endpoints=(
        endpoint(requests=12545, failures=9101, p50=19_400.0, p95=25_100.0, p99=27_300.0, max_ms=28_100.0),
        endpoint(
            "POST /api/v1/deployments",
            12545,
            failures=9101,
            p50=19_400.0,
            p95=25_100.0,
            p99=27_300.0,
            max_ms=28_100.0,
            statuses={"201": 3444, "403": 1834, "500": 7024, "no reply": 243},
        ),
    ),
    limits=(
        limit(metric="p50", measured=19_400.0, text="500ms", outcome="FAIL", line=76),
        limit(metric="p99", measured=27_300.0, text="1s", outcome="FAIL", line=76),
        limit(metric="failures", measured=0.7255, text="2%", outcome="FAIL", line=76),
        limit("POST /api/v1/deployments", "p95", 25_100.0, "1s", outcome="FAIL", line=77),
    ),
    diagnosis=diagnosis(
        cause(numbers=("5.0 of 5 connections of the pool were in use", "912.3 requests waited for one")),
        cause("lock-contention", 0.21, title="locks in the database", numbers=("1.1 sessions waited",)),
    ),
)
REGRESSED = scenario(
    "checkout",
    "FAIL",
    endpoints=(
        endpoint(p50=8.1, p95=304.0, p99=391.0),
        endpoint("POST /api/v1/orders", 1200, p50=160.0, p95=322.0, p99=402.0),
        endpoint("GET /api/v1/orders/{id}", 2400, p50=3.9, p95=9.2, p99=17.3),
    ),
    limits=(limit(measured=304.0, text="500ms"),),
    comparison=confirm(
        duet(
            change("all", "p50", 0.03, outcome="PASS", base=7.9, head=8.1),
            change("all", "rate", -0.02, outcome="PASS", tolerance=0.05, base=59.1, head=57.9),
            change("all", "p95", 71.4, tolerance=0.2, base=4.2, head=304.0, low=60.2, high=86.1),
            change("POST /api/v1/orders", "p95", 0.312, tolerance=0.2, base=245.0, head=322.0),
            change(
                "POST /api/v1/orders",
                "failures",
                0.011,
                tolerance=0.005,
                base=0.001,
                head=0.012,
                low=0.008,
                high=0.014,
            ),
            not_compared=[not_compared("GET /api/v1/orders/{id}")],
            outcome="FAIL",
        ),
        ("all", "p95", 75.0, 68.0),
        ("POST /api/v1/orders", "p95", 0.35, 0.275),
        ("POST /api/v1/orders", "failures", 0.012, 0.01),
    ),
    diagnosis=diagnosis(
        cause(
            "n-plus-one",
            0.88,
            title="head sends many more statements for a request than base",
            numbers=(
                "21.7 statements per request on head, 1.0 on base (21.7 x)",
                "26,040 x SELECT price FROM prices WHERE item_id = $1",
            ),
            next_step="load the rows of a list in one statement (a join, or WHERE id = ANY), not one by one",
        )
    ),
)
UNCLEAR = scenario(
    "search",
    "INCONCLUSIVE",
    comparison=duet(
        change("all", "p95", 0.09, outcome="INCONCLUSIVE", mde=0.31, low=-0.08, high=0.26),
        outcome="INCONCLUSIVE",
    ),
    diagnosis=diagnosis(),
)
UNCONFIRMED = scenario(
    "browse",
    "INCONCLUSIVE",
    comparison=confirm(
        duet(
            change(
                "all",
                "p50",
                0.064,
                outcome="INCONCLUSIVE",
                mde=0.12,
                low=-0.01,
                high=0.14,
                base=40.0,
                head=42.6,
            ),
            outcome="INCONCLUSIVE",
        ),
        ("all", "p50", 0.124, 0.007),
    ),
)
COMPARED = duet(
    change("all", "p50", 0.012, outcome="PASS", base=41.5, head=42.0, low=-0.021, high=0.045),
    change("all", "p95", -0.031, outcome="PASS", base=219.0, head=212.0, low=-0.082, high=0.02),
)
HOSTILE_NAMES = scenario(
    "</summary></details><img src=x> @octocat #1",
    "FAIL",
    endpoints=(
        endpoint(),
        endpoint("GET /a|b`c`\\|d"),
        endpoint("GET https://evil.example/ www.evil.example :tada:"),
        endpoint("GET /\u202egpj.exe\u200b"),
        endpoint("GET /" + "very-long-" * 40),
    ),
    limits=(limit("GET /a|b`c`\\|d", outcome="FAIL"),),
    findings=(
        finding(
            subject="@octocat",
            message="fixes #1, owner/repo#2, GH-3 and 0123456789abcdef by @octocat\n\n# heading [x](https://evil.example)",
            remedy="<script>alert(1)</script> | see www.evil.example",
        ),
    ),
    diagnosis=diagnosis(
        cause(
            "`@octocat`|",
            None,
            title="</details> @octocat #1",
            numbers=("9 x SELECT '\\x1b[31m' FROM users -- @octocat", "<script>alert(1)</script>"),
            next_step="[click](https://evil.example)",
        ),
        unknown=("owner/repo#2",),
    ),
)
CHANGES = (
    ThresholdChange(
        scenario="burst-load",
        endpoint="all",
        setting="p50",
        old="500ms",
        new="20s",
        direction="loosened",
        line=76,
    ),
    ThresholdChange(
        scenario="burst-load",
        endpoint="POST /api/v1/deployments",
        setting="p95",
        old="1s",
        new=None,
        direction="loosened",
        line=None,
    ),
    ThresholdChange(
        scenario="",
        endpoint="",
        setting="file .github/workflows/load-gate.yml",
        old="3f786850e387",
        new="89e6c98d9288",
        direction="changed",
        line=None,
    ),
    ThresholdChange(
        scenario="concurrent-deployments",
        endpoint="GET /api/v1/deployments",
        setting="p99",
        old=None,
        new="200ms",
        direction="tightened",
        line=40,
    ),
)
UNDER_BASE = (
    UnderBase(
        scenario="burst-load",
        base="FAIL",
        head="PASS",
        breaches=(limit(metric="p50", measured=19_400.0, text="500ms", outcome="FAIL"),),
        worse=(change("all", "p95", 0.31),),
        unknown=("POST /api/v1/deployments p95",),
    ),
    UnderBase(scenario="concurrent-deployments", base="PASS", head="PASS", breaches=(), worse=(), unknown=()),
    UnderBase(scenario="new-one", base=None, head="PASS", breaches=(), worse=(), unknown=()),
)


DIGEST = digest_loosening(change for change in CHANGES if change.direction == "loosened")


def approval(*, is_given):
    return Approval(label=f"thresholds-approved:{DIGEST}", loosened=2, is_given=is_given)


EXAMPLES = {
    "pass": Report(
        verdict=verdict(
            scenario(
                DEPLOYMENTS.name,
                endpoints=DEPLOYMENTS.endpoints,
                limits=DEPLOYMENTS.limits,
                findings=DEPLOYMENTS.findings,
                comparison=COMPARED,
            ),
            scenario("connector-scaling", users=200, comparison=COMPARED),
            occasion=PULL,
        ),
        run_url=RUN_URL,
        page_url=PAGE_URL,
    ),
    "fail": Report(
        verdict=verdict(DEPLOYMENTS, APPROVALS, BURST, outcome="FAIL", occasion=PULL), run_url=RUN_URL
    ),
    "invalid": Report(
        verdict=verdict(
            scenario(
                "cab-approvals",
                "INVALID",
                endpoints=(),
                limits=(),
                users=50,
                findings=(
                    finding(
                        "not-measured",
                        "invalid",
                        "scenario",
                        "the service did not start: [Errno 98] Address already in use",
                        "fix what stopped the measurement, and run again",
                    ),
                ),
            ),
            outcome="INVALID",
            findings=(
                finding("not-finished", "invalid", "run", "the run was interrupted", "run again, to the end"),
            ),
        ),
        run_url=RUN_URL,
    ),
    "throttled": Report(
        verdict=verdict(DEPLOYMENTS, APPROVALS, outcome="INVALID", occasion=PULL), run_url=RUN_URL
    ),
    "inconclusive": Report(
        verdict=verdict(
            UNCLEAR,
            scenario("checkout", comparison=COMPARED),
            outcome="INCONCLUSIVE",
            occasion=PULL,
        ),
        run_url=RUN_URL,
    ),
    "bad-thresholds": Report(
        verdict=add_mistakes(
            make_empty_verdict("thresholds.yaml", "0.1.0"),
            (
                Problem(
                    file="thresholds.yaml",
                    line=31,
                    column=13,
                    message="'p95' cannot be 300",
                    allowed="a duration such as 200ms or 1.5s",
                ),
                Problem(
                    file="thresholds.yaml",
                    line=38,
                    column=5,
                    message="unknown key 'locust_file'",
                    allowed="locustfile, users, spawn_rate, limits, regression",
                ),
            ),
        ),
        run_url=RUN_URL,
        head_sha=PULL.head_sha,
    ),
    "loosened": Report(
        verdict=verdict(DEPLOYMENTS, scenario("burst-load", users=1000), occasion=PULL),
        changes=CHANGES,
        under_base=UNDER_BASE,
        approval=approval(is_given=False),
        run_url=RUN_URL,
    ),
    "loosened-approved": Report(
        verdict=verdict(DEPLOYMENTS, scenario("burst-load", users=1000), occasion=PULL),
        changes=CHANGES,
        under_base=UNDER_BASE,
        approval=approval(is_given=True),
        run_url=RUN_URL,
    ),
    "worse-than-base": Report(
        verdict=verdict(REGRESSED, UNCLEAR, outcome="FAIL", occasion=PULL), run_url=RUN_URL
    ),
    "not-confirmed": Report(
        verdict=verdict(UNCONFIRMED, outcome="INCONCLUSIVE", occasion=PULL), run_url=RUN_URL
    ),
    "hostile-names": Report(verdict=verdict(HOSTILE_NAMES, outcome="FAIL"), run_url=RUN_URL),
}
