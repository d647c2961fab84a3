"""For every validity rule, evidence that breaks it and evidence near it that does not."""

from __future__ import annotations

from tests.judge.locustfile_proofs import LOCUSTFILE_PROOFS
from tests.judge.proof import SHORT, Proof
from tests.judge.reply_proofs import REPLY_AND_LOAD_PROOFS
from tests.judge.warm_up_proofs import WARM_UP_PROOFS

MANY = "\n".join(f"1 GET /items/{number} 200 5ms" for number in range(21))
TWICE = "\n".join(f"2 GET /items/{number} 200 5ms" for number in range(200))
HALF_ONCE = "\n".join(f"{1 + number % 2} GET /items/{number} 200 5ms" for number in range(22))
TWENTY_ONCE = "\n".join(f"1 GET /items/{number} 200 5ms" for number in range(20))

LOST = f"{SHORT}600 GET /items 503 5ms\noffers 30/s\nstopping at 12 s"

RUN_AND_RECORDING_PROOFS = (
    Proof("locust-ended-early", "no mark ended", "the last phase it reached was: stopping", ""),
    Proof(
        "worker-lost",
        "processes 2\nworker 2 lost",
        "it is one of 2, and was killed before it wrote its totals, 34 s after the start or later",
        "processes 2",
    ),
    Proof(
        "worker-lost",
        "processes 2\nremote worker 2 undelivered",
        "it is one of 2, and was cut off before all that it recorded had arrived",
        "processes 2\nremote worker 2 clock 1 ms",
    ),
    Proof(
        "clock-uncertain",
        "processes 2\nremote worker 2 clock 101 ms",
        "its clock is +12.000 s from the master's, give or take 0.101 s",
        "processes 2\nremote worker 2 clock 99 ms",
    ),
    Proof(
        "phase-cut-short",
        "stopping at 18 s",
        "the steady phase lasted 18.0 s of the planned 20 s",
        "stopping at 19 s",
    ),
    Proof(
        "load-ended-early",
        LOST,
        "all failures 1% cannot be kept any more, even if all that follows succeeds: 360 of 360 requests "
        "failed, and nothing succeeded in the last 12 s; the load was ended after 12.0 s of the planned 20 s",
        LOST.replace("stopping at 12 s", ""),
    ),
    Proof("phase-cut-short", f"{LOST}\nlimit all failures 100%", "lasted 12.0 s of the planned 20 s", LOST),
    Proof(  # 360 failures of at most 360 + 10 + 1.1 x 30/s x 8 s
        "load-ended-early",
        f"{LOST}\nlimit all failures 56.7%",
        "all failures 56.7% cannot be kept any more",
        f"{LOST}\nlimit all failures 56.8%",
    ),
    Proof(
        "load-ended-early",
        f"{LOST}\nlimit all failures 100%\nlimit GET /items successes 43.3%",
        "GET /items successes 43.3% cannot be kept any more",
        f"{LOST}\nlimit all failures 100%\nlimit GET /items successes 43.2%",
    ),
    Proof(
        "no-samples",
        f"{SHORT}500 GET /items 200 5ms ramp",
        "(500 before or after it)",
        f"{SHORT}1 GET /items 200 5ms",
    ),
    Proof(
        "start-failed",
        "start failure ShopUser 3 KeyError('token')\nstart failure ShopUser 4 SignInError('user 1')\n"
        "start failure ShopUser 1 SignInError('user 2')",
        "8 x ShopUser died in on_start: 5 x SignInError('user *'), and 1 other error",
        "",
    ),
    Proof(
        "start-failed",
        "start failure ShopUser 3 KeyError('token')",
        "3 x ShopUser died in on_start: 3 x KeyError('token')",
        "",
    ),
    Proof(
        "users-missing",
        "reading 5 s users ShopUser=9",
        "9 of 10 ShopUser at the lowest point",
        "reading 0 s users ShopUser=9",
    ),
    Proof(
        "users-missing",
        "reading 5 s users ShopUser=7\n3 ShopUser left",
        "7 of 10 ShopUser at the lowest point; 3 left by themselves (StopUser), as if their work were done",
        "reading 0 s users ShopUser=7\n3 ShopUser left",
    ),
    Proof(  # under a shape: fewer than it asked for, after all of them were there
        "users-missing",
        "shape Spike\nreading 0-19 s target=10\nreading 9 s users ShopUser=8\nshape ended it",
        "8 of 10 users at the lowest point",
        "shape Spike\nreading 0-5 s target=5 users ShopUser=5\nreading 6-8 s target=10 users ShopUser=8\n"
        "reading 9-19 s target=10\nshape ended it",
    ),
    Proof("users-missing", "mark spawn_timeout", "not all 10 users ever ran", ""),
    Proof("users-missing", "mark no_users\n9 ShopUser left", "through on_start; 9 left by themselves", ""),
    Proof("users-missing", "mark no_users", "not all 10 users ever ran", ""),
    Proof("wrong-users", "reading 1-9 s users Other=1", "Other ran, which the scenario does not name", ""),
    Proof(
        "wrong-users",
        "5 Silent",
        "Silent made no request",
        "5 Silent\n9 GET /items 200 5ms by Silent",
    ),
    Proof(
        "wrong-users",
        "5 Silent\n5 GET /slow 200 25000ms ramp by Silent",
        "Silent made no request in the steady phase: its users waited for replies to earlier ones",
        "5 Silent\n9 GET /items 200 5ms by Silent",
    ),
    Proof(
        "no-samples",
        f"{SHORT}5 GET /slow 200 25000ms ramp",
        "(5 before or after it); 5 sent earlier were still without a reply when it began",
        f"{SHORT}1 GET /items 200 5ms",
    ),
    Proof(
        "nothing-reported",
        SHORT,
        "10 users ran for 20 s, and nothing was reported to Locust",
        f"{SHORT}500 GET /items 200 5ms ramp",
    ),
    Proof("service-ended", "service ended at 5 s", "ended 14 s after the load began", ""),
    Proof("service-restarted", "service restarted at 5 s", "started again 1 x", ""),
    Proof(
        "clock-jumped", "wall clock +3 s at 25 s", "24 s after the start the wall clock jumped by +3.0 s", ""
    ),
    Proof("clock-jumped", "wall clock -0.6 s at 14 s", "by -0.6 s", "wall clock -0.4 s at 14 s"),
    Proof(
        "samples-disagree",  # names are cut to 500 characters, and these two are then the same
        f"Locust counted GET /{600 * 'x'} 8 0\n9 GET /{495 * 'x'} 200 5ms",
        "9 samples with 0 failures, but Locust counted 17 with 0",
        f"Locust counted GET /{600 * 'x'} 0 0\n9 GET /{495 * 'x'} 200 5ms",
    ),
    Proof(
        "samples-disagree",
        "Locust counted GET /items 601 0",
        "600 samples with 0 failures, but Locust counted 601",
        "Locust counted GET /items 600 0",
    ),
    Proof("samples-disagree", "Locust counted GET /items 600 1", "with 1", "no totals"),
    Proof(  # a reset of its statistics: fewer requests and fewer failures than there are samples
        "samples-disagree",
        "9 GET /items 500 5ms\nheard GET /items 610 9",
        "609 samples with 9 failures, but 610 events with 9 were heard",
        "9 GET /items 500 5ms\nLocust counted GET /items 3 0",
    ),
    Proof("samples-disagree", "heard GET /items 599 0", "599 events with 0", "Locust counted GET /items 0 0"),
    Proof("samples-disagree", "Locust counted GET /gone 5 0", "0 samples", "9 GET /items 0 30000ms never"),
    Proof(
        "unreported-replies",
        "9 POST /login 200 5ms unreported",
        "9 replies were taken with catch_response and never reported (200 x 9); left by 9 x an error",
        "",
    ),
    Proof(
        "never-ended", "9 GET /items 0 30000ms never", "9 requests were still without a reply 30 s after", ""
    ),
    Proof("other-host", "other host 10.0.0.9:80 GET /items", "answered by 10.0.0.9:80, which is not the", ""),
    Proof("listener-errors", "listener errors 1", "raised 1 time", ""),
    Proof(
        "listener-errors",
        "listener errors 3 KeyError('id') at status 401, in check",
        "raised 3 times; 3 x KeyError('id') at status 401, in check",
        "",
    ),
    Proof(
        "task-errors",
        "task error ShopUser 4 ValueError()\ntask error Other 5 KeyError('id')",
        "9 tasks ended by an exception, beside 900 requests; 5 x KeyError('id')",
        "",
    ),
    Proof(
        "task-errors",
        "task error ShopUser 9 KeyError('id')",
        "9 x KeyError('id')",
        "task error ShopUser 8 KeyError('id')",
    ),
    Proof(
        "endpoint-explosion",
        f"{SHORT}{HALF_ONCE}\n1 GET /last 200 5ms",
        "23 endpoints, 12 of them called once, such as GET /items/0, GET /items/1, GET /items/2",
        f"{SHORT}{HALF_ONCE}",
    ),
    Proof("endpoint-explosion", f"{SHORT}{MANY}", "21 endpoints", f"{SHORT}{TWENTY_ONCE}"),
    Proof(
        "endpoint-explosion",
        f"{SHORT}{MANY}",
        "21 endpoints, 21 of them called once",
        f"{SHORT}{MANY.replace('1 GET', '2 GET')}",
    ),
    Proof("endpoint-explosion", f"{SHORT}{TWICE}\n2 GET /a 200 5ms", "201 endpoints", f"{SHORT}{TWICE}"),
)

EVENT_PROOFS = (
    Proof("damaged-rows", "2 damaged rows", "2 of 902 rows of samples.bin cannot be read", ""),
    Proof(
        "unreadable-values",
        "1 odd MQ publish: response_time nan",
        "MQ publish 1 event brought response_time nan: taken as a failure",
        "1 odd MQ publish: response_length 10.5",
    ),
    Proof("unreadable-values", "3 odd MQ publish: status_code 'no'", "3 events, the first of which", ""),
    Proof(
        "values-replaced",
        "1000 odd MQ publish: start_time 12.5",
        "MQ publish 1,000 events, the first of which brought start_time 12.5: taken as",
        "1 odd MQ publish: response_time nan",
    ),
)

PROBE_PROOFS = (
    Proof(
        "probe-failed",
        "probe postgres fails at 0-11 s: connection refused",
        "probe postgres read 9 times in the 20 s of the steady phase; the last error: connection refused",
        "probe postgres fails at 0-10 s: connection refused",
    ),
    Proof(
        "probe-failed",
        "probe redis fails at -9-25 s: timed out",
        "probe redis read 0 times in the 20 s of the steady phase; the last error: timed out",
        "probe redis fails at -9-0 s: timed out",
    ),
)

PROOFS = (
    *RUN_AND_RECORDING_PROOFS,
    *EVENT_PROOFS,
    *LOCUSTFILE_PROOFS,
    *REPLY_AND_LOAD_PROOFS,
    *PROBE_PROOFS,
    *WARM_UP_PROOFS,
)
