"""Statements of a duet: which grew, and what is claimed of them."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.evidence.readings import MAX_STATEMENTS, StatementReading, StatementTotal
from ci_gate.evidence.recording import DUET_BASE, DUET_HEAD
from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.diagnosis.statement_growth import find_grown
from ci_gate.judge.diagnosis.statement_texts import fold_query, shorten_query
from ci_gate.judge.steady import classify
from tests.judge.bottleneck_notation import (
    IDLE_DATABASE,
    codes,
    diagnose_head,
    make_evidence,
)
from tests.judge.recordings import BEGIN_S, DURATION_S

ORDER = "SELECT * FROM orders WHERE id = $1"
ITEM = "SELECT * FROM items WHERE order_id = $1"
SUCCESSES = 1000  # of a recording of make_evidence
AT_WORK = {**IDLE_DATABASE, "on_cpu": 25}
LOCKED = {**IDLE_DATABASE, "waiting_lock": 20}


def read_statements(begin_s=BEGIN_S - 20, **per_success):
    """Readings from before the steady phase until after it, of what each success sent, and the ms of it."""
    end_s = BEGIN_S + DURATION_S + 1
    share = (end_s - begin_s) / DURATION_S
    totals = tuple(
        StatementTotal(query=query, calls=round(share * SUCCESSES * calls), total_ms=share * SUCCESSES * ms)
        for query, (calls, ms) in per_success.items()
    )
    return (
        StatementReading(wall_s=begin_s, statements=()),
        StatementReading(wall_s=end_s, statements=totals),
    )


def duet(base, head, **words):
    sides = ((DUET_BASE, base), (DUET_HEAD, head))
    database = words.pop("database", IDLE_DATABASE)
    return {
        name: make_evidence(
            **{"pool": None, **words},
            database={"server_started_s": 7.0, "database_oid": float(name == DUET_HEAD), **database},
            statements=read_statements(**each),
        )
        for name, each in sides
    }


def grown_of(recordings):
    return find_grown({name: classify(each, ()) for name, each in recordings.items()})


def diagnose(recordings, **circumstances):
    return diagnose_head(recordings[DUET_HEAD], others=recordings, **circumstances)


def growth_of(diagnosis):
    return next((cause for cause in diagnosis.causes if cause.code == "statement-growth"), None)


def test_growth__is_for_each_success_of_the_steady_phase():
    found = grown_of(duet({ORDER: (1, 0.2), ITEM: (1, 0.1)}, {ORDER: (1, 0.2), ITEM: (20, 2.0)}))
    (growth,) = found
    assert growth.query == ITEM
    figures = (growth.base_calls, growth.head_calls, growth.base_ms, growth.head_ms)
    assert figures == pytest.approx((1, 20, 0.1, 2.0), rel=0.01)


def test_growth__of_a_statement_that_base_never_sent():
    (growth,) = grown_of(duet({ORDER: (1, 0.2)}, {ORDER: (1, 0.2), ITEM: (3, 0.3)}))
    assert (growth.query, growth.base_calls) == (ITEM, 0)


@pytest.mark.parametrize("words", [{}, {"queries": MAX_STATEMENTS}])
def test_growth__of_what_base_may_have_sent_unseen_is_not_told(words):
    many = {f"SELECT {'a' * number} FROM t": (1, 1.0) for number in range(1, words.get("queries", 1) + 1)}
    found = grown_of(duet(many, {**many, ITEM: (3, 0.3)}))
    assert [each.query for each in found] == ([] if words else [ITEM])


def test_growth__of_one_database_for_both_sides_is_not_known():
    statements = ({ORDER: (1, 0.2)}, {ORDER: (9, 2.0)})
    assert grown_of(duet(*statements)) != ()
    same = duet(*statements, database={**IDLE_DATABASE, "database_oid": 8.0})
    assert grown_of(same) == ()
    without = {name: msgspec.structs.replace(each, probes=()) for name, each in same.items()}
    assert grown_of(without) == ()


def test_growth__of_readings_that_do_not_cover_the_steady_phase_is_not_known():
    recordings = duet({ORDER: (1, 0.2)}, {ORDER: (9, 2.0)})
    late = read_statements(BEGIN_S + 5, **{ORDER: (1, 0.2)})
    recordings[DUET_BASE] = msgspec.structs.replace(recordings[DUET_BASE], statements=late)
    assert grown_of(recordings) == ()


def test_growth__of_totals_since_the_server_began_is_not_known():
    recordings = duet({ORDER: (1, 0.2)}, {ORDER: (9, 2.0)})
    first, last = recordings[DUET_BASE].statements
    since_ever = (msgspec.structs.replace(first, statements=last.statements), last)
    recordings[DUET_BASE] = msgspec.structs.replace(recordings[DUET_BASE], statements=since_ever)
    assert grown_of(recordings) == ()


@pytest.mark.parametrize(
    ("base", "head", "words", "title"),
    [
        ((1, 0.1), (20, 2.0), {}, "more often"),
        ((30, 1.0), (50, 2.0), {}, "more often"),
        ((30, 1.0), (35, 1.2), {}, None),  # not half as many again
        ((0, 0.0), (1, 0.1), {}, None),  # a new statement, sent once
        ((1, 50.0), (1, 250.0), {"database": AT_WORK}, "takes longer"),  # 20 more sessions, of 100 a second
        ((1, 50.0), (1, 250.0), {"database": LOCKED}, None),  # they wait for a lock
        ((1, 50.0), (1, 100.0), {}, None),  # 5 of 50 requests in flight
        ((0, 0.0), (1, 250.0), {"database": AT_WORK}, "takes longer"),
        ((0.03, 100.0), (0.06, 300.0), {"database": AT_WORK}, "takes longer"),
        ((0.03, 150.0), (0.06, 300.0), {}, None),  # each call takes as long
        ((0, 0.0), (0.015, 300.0), {}, None),  # 15 calls in all
        ((1, 300.0), (1, 420.0), {}, None),  # 12 of 50, and not half as long again
        ((20, 250.0), (1, 50.0), {}, None),
    ],
)
def test_cause__needs_many_more_calls_or_much_of_the_requests_time(base, head, words, title):
    recordings = duet({ITEM: base, ORDER: (1, 0.2)}, {ITEM: head, ORDER: (1, 0.2)}, **words)
    cause = growth_of(diagnose(recordings))
    assert (cause is not None) == (title is not None)
    if cause is not None and title is not None:
        assert title in cause.title
        assert cause.numbers[0].endswith(f": {ITEM}")
        assert cause.share == (
            None if title == "more often" else pytest.approx((head[1] - base[1]) / 500, rel=0.02)
        )
        assert codes(diagnose(recordings))[0] == "statement-growth"
        assert growth_of(diagnose(recordings, is_slow=False)) is None


def test_cause__of_a_pool_is_the_part_that_holds_and_waits_for_its_connections():
    pool = {"pool_size": 20, "pool_in_use": 20, "pool_waiting": 20}
    recordings = duet({ITEM: (1, 10.0)}, {ITEM: (1, 110.0)}, pool=pool)
    assert growth_of(diagnose(recordings)).share == pytest.approx(10 / 20 * 40 / 50, rel=0.02)


def worse(metric):
    """A comparison in which head breaks its tolerance for it."""
    change = Change(
        endpoint="all",
        metric=metric,
        base=2.0,
        head=22.0,
        change=10.0,
        low=9.0,
        high=11.0,
        worst=9.0,
        p_value=0.001,
        mde=0.05,
        tolerance=0.05,
        windows=15,
        is_real=True,
        outcome="FAIL",
    )
    return DuetVerdict(
        outcome="FAIL",
        duration_s=30.0,
        analyses=1,
        alpha=0.05,
        changes=(change,),
        not_compared=(),
        findings=(),
    )


def test_cause__of_a_broken_tolerance_for_statements_is_named_though_nothing_is_slow():
    recordings = duet({ITEM: (1, 0.1)}, {ITEM: (20, 2.0)}, in_flight=0.5, rate=100)
    assert growth_of(diagnose(recordings, is_slow=False, comparison=worse("statements")))
    assert growth_of(diagnose(recordings, is_slow=False)) is None


@pytest.mark.parametrize(
    ("base", "more_ms", "is_slow", "metric", "named"),
    [
        ({}, 2, False, "p95", ["statement-growth"]),  # 2 ms of 5 are head's alone, all of which grew
        ({}, 2, False, "rate", ["statement-growth"]),
        ({"in_flight": 0.15, "rate": 50}, 2, False, "p95", ["statement-growth"]),
        ({}, 2, True, "p95", ["unknown", "statement-growth"]),  # head is beyond a limit, and base may be, too
        ({"in_flight": 0.1}, 2, False, "p95", ["unknown", "statement-growth"]),  # 4 of 5, and 2 of them grew
        ({"in_flight": 0.5}, 2, False, "p95", ["unknown", "statement-growth"]),  # not slower on average
        ({"in_flight": 0.43}, 0, False, "p95", ["unknown"]),  # nothing grew
    ],
)
def test_wait_for_what_was_not_observed__is_left_out_where_base_waits_as_long(
    base, more_ms, is_slow, metric, named
):
    words = {"in_flight": 0.5, "rate": 100, "cpu": 5.0, "database": {**IDLE_DATABASE, "on_cpu": 0}}
    recordings = duet({ITEM: (1, 0.1)}, {ITEM: (1, 0.1 + more_ms)}, **words)
    words |= {"in_flight": 0.3, **base}
    recordings[DUET_BASE] = duet({ITEM: (1, 0.1)}, {}, **words)[DUET_BASE]
    assert codes(diagnose(recordings, is_slow=is_slow, comparison=worse(metric))) == named


@pytest.mark.parametrize(
    ("on_cpu", "named"), [(4, ["database-cpu", "statement-growth"]), (2, ["statement-growth"])]
)
def test_place__that_base_has_too_is_named_beside_a_growth_only_where_it_is_full(on_cpu, named):
    words = {"rate": 100, "cpu": 5.0, "database": {**IDLE_DATABASE, "on_cpu": on_cpu}}
    recordings = duet({ITEM: (1, 0.1)}, {ITEM: (1, 20.1)}, **words, in_flight=5)
    recordings[DUET_BASE] = duet({ITEM: (1, 0.1)}, {}, **words, in_flight=3)[DUET_BASE]
    assert codes(diagnose(recordings, is_slow=False, comparison=worse("p95"))) == named


def test_cause__of_a_pool_whose_queue_is_hidden_has_no_share():
    pool = {"pool_size": 5, "pool_in_use": 5}
    recordings = duet({ITEM: (1, 10.0)}, {ITEM: (1, 60.0)}, pool=pool)
    diagnosis = diagnose(recordings)
    assert codes(diagnosis)[0] == "statement-growth"
    assert growth_of(diagnosis).share is None
    shorter = duet({ITEM: (1, 10.0)}, {ITEM: (1, 18.0)}, pool=pool)  # not a fifth of what holds connections
    assert growth_of(diagnose(shorter)) is None


def test_n_plus_one__is_known_by_the_databases_own_count_where_the_service_has_none():
    sides = ((DUET_BASE, 3, 1), (DUET_HEAD, 60, 58))
    recordings = {
        name: make_evidence(
            pool=None,
            database={
                **IDLE_DATABASE,
                "database_oid": oid,
                "server_started_s": 1.0,
                "statement_calls": 100.0 * calls,
            },
            statements=read_statements(**{ITEM: (items, 0.1), ORDER: (2, 0.1)}),
        )
        for oid, (name, calls, items) in enumerate(sides)
    }
    diagnosis = diagnose(recordings)
    first = diagnosis.causes[0]
    assert (first.code, first.share) == ("n-plus-one", None)
    assert first.numbers[0] == "60.0 statements per request on head, 3.0 on base (20.0 x)"
    assert "for each success 58 calls and " in first.numbers[1]
    assert ITEM in first.numbers[1]
    assert growth_of(diagnosis) is None
    same = {
        name: msgspec.structs.replace(each, probes=recordings[DUET_HEAD].probes)
        for name, each in recordings.items()
    }
    assert "n-plus-one" not in codes(diagnose(same))


@pytest.mark.parametrize(
    ("query", "folded"),
    [
        ("SELECT *\n  FROM t -- all\nWHERE a = $1", "SELECT * FROM t WHERE a = $1"),
        ("SELECT 1 /* traceparent='00-ab-cd-01' */", "SELECT ?"),
        ("SELECT a FROM t WHERE b IN ($1, $2,$3) OR c = $4", "SELECT a FROM t WHERE b IN ($1, …) OR c = $4"),
        ("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)", "INSERT INTO t (a, b) VALUES ($1, …), …"),
        ("UPDATE t2 SET x1 = 'it''s a secret', y = 3.5", "UPDATE t2 SET x1 = ?, y = ?"),
        ("UPDATE t SET x = 'cut off", "UPDATE t SET x = ?"),
        ('SAVEPOINT "s140_x12"', 'SAVEPOINT "s?_x?"'),
        ("ALTER ROLE me SET x TO 'secret', 'more'", "ALTER ROLE me SET x TO ?"),
    ],
)  # fmt: skip
def test_query__is_compared_without_what_is_a_parameter(query, folded):
    assert fold_query(query) == folded


def test_query__that_is_long_loses_its_columns_first():
    columns = ", ".join(f'"t"."column_{number}"' for number in range(40))
    assert shorten_query(f"SELECT {columns} FROM t WHERE id = $1", 60) == "SELECT … FROM t WHERE id = $1"
    assert len(shorten_query(f"INSERT INTO t ({columns})", 60)) == 61
    assert shorten_query("SELECT a FROM t", 60) == "SELECT a FROM t"
