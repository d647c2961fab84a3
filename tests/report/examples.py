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
    code_change,
    confirm,
    diagnosis,
    duet,
    endpoint,
    finding,
    function_change,
    growth,
    limit,
    not_compared,
    scenario,
    slow_request,
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
LOG_LINE = (
    "service.log, at least 6,988 x: QueuePool limit of size 5 overflow 0 reached, connection timed out, "
    "timeout 10.00; 3 other kinds of errors"
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
        cause(
            "failing-replies",
            0.7255,
            title="failing replies",
            numbers=(
                "9,101 of 12,545 requests failed: 500 x 7,024, 403 x 1,834, no reply x 243",
                LOG_LINE,
                "POST /api/v1/deployments: 9,101 of 12,545",
            ),
            next_step="read service.log in the evidence folder",
            share_of="requests",
        ),
    ),
    slowest=(
        slow_request("POST /api/v1/deployments", 51.2, 28_100.0, "no reply"),
        slow_request("POST /api/v1/deployments", 49.8, 27_900.0, "500"),
    ),
)
PRICE = "SELECT price FROM prices WHERE item_id = $1"
ORDERS = (
    "SELECT orders.id, orders.customer_id, orders.created_at, orders.currency, orders.total, orders.state "
    "FROM orders JOIN customers ON customers.id = orders.customer_id WHERE customers.email = $1 "
    "ORDER BY orders.created_at DESC LIMIT $2"
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
            change("all", "cpu", 0.353, tolerance=0.08, base=3.4, head=4.6, low=0.29, high=0.42),
            change("all", "memory", 0.0004, outcome="PASS", base=211.6, head=211.7, low=-0.0003, high=0.001),
            change("all", "statements", 20.7, tolerance=0.05, base=1.0, head=21.7, low=20.1, high=21.3),
            not_compared=[not_compared("GET /api/v1/orders/{id}")],
            outcome="FAIL",
        ),
        ("all", "p95", 75.0, 68.0),
        ("POST /api/v1/orders", "p95", 0.35, 0.275),
        ("POST /api/v1/orders", "failures", 0.012, 0.01),
        ("all", "cpu", 0.37, 0.33),
        ("all", "statements", 20.7, 20.7),
    ),
    diagnosis=diagnosis(
        cause(
            "n-plus-one",
            0.88,
            title="head sends many more statements for a request than base",
            numbers=(
                "21.7 statements per request on head, 1.0 on base (21.7 x)",
                f"for each success 21 calls and 1.68 ms on head, 0 calls and 0 ms on base: {PRICE}",
            ),
            next_step="load the rows of a list in one statement (a join, or WHERE id = ANY), not one by one",
        ),
        statements=(growth(PRICE, (0.0, 21.0), (0.0, 1.68)), growth(ORDERS, (0.98, 1.0), (0.21, 0.35))),
    ),
    code=code_change(
        function_change("load_prices", "shop/prices.py", base_ms=0.0, head_ms=0.9),
        function_change("read_row", "shop/database.py", base_ms=0.2, head_ms=0.4, waits=True),
    ),
    slowest=(
        slow_request("POST /api/v1/orders", 12.4, 812.0, "201", "4bf92f3577b34da6a3ce929d0e0e4736"),
        slow_request("POST /api/v1/orders", 47.1, 644.0, "500", "00f067aa0ba902b7a3ce929d0e0e4736"),
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
TAKEN = scenario(
    "checkout",
    "INVALID",
    limits=(limit(measured=1_240.0, outcome="FAIL", line=38),),
    findings=(
        finding(
            "machine-taken",
            "invalid",
            "host",
            "others took 1.2 of 2 cores on average (cc1 1.2), and this was broken meanwhile: all p95",
            "run it again when the machine is free; if that program works for the service, relax this rule",
        ),
    ),
    diagnosis=diagnosis(
        cause(
            "stall",
            0.31,
            title="no endpoint answered for a second or more, while requests waited",
            numbers=(
                "no reply for 4.2 s, 31 s after the steady phase began, while 96 requests waited on average",
                "then the service used 0.04 cores; 0.61 over the whole phase",
                "100 % of the slowest hundredth of the requests waited in such a time",
                "then others used 1.9 of 2 cores (cc1 1.1, python3 0.8)",
            ),
            next_step="other programs had much of this machine then: run again where they do not",
        ),
        cause(
            "listen-queue",
            0.22,
            title="connections wait in the queue of the service's port until it accepts them",
            numbers=(
                "41.3 connections waited to be accepted, 128 at most; 1 process accepts them",
                "the service used 0.61 cores, its busiest process 58 % of one",
            ),
            next_step="let more processes or threads accept, let each wait for less, and block no event loop",
        ),
    ),
)
LOST = scenario(
    "burst-load",
    "INVALID",
    users=1000,
    limits=(limit(line=76),),
    findings=(
        finding(
            "worker-lost",
            "invalid",
            "Locust worker 2",
            "it is one of 4, and was killed before it wrote its totals, 37 s after the start or later",
            "read locust.log in the evidence folder; look for calls that block, and for a lack of memory",
        ),
    ),
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
    "machine-taken": Report(verdict=verdict(TAKEN, LOST, outcome="INVALID", occasion=PULL), run_url=RUN_URL),
    "not-confirmed": Report(
        verdict=verdict(UNCONFIRMED, outcome="INCONCLUSIVE", occasion=PULL), run_url=RUN_URL
    ),
    "hostile-names": Report(verdict=verdict(HOSTILE_NAMES, outcome="FAIL"), run_url=RUN_URL),
}
