from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from urllib.parse import urlsplit

import psycopg
import pytest

from ci_gate.evidence.probe_kinds import PROBE_KINDS
from ci_gate.evidence.readings import StatementReading
from ci_gate.evidence.recording import LineWriter
from ci_gate.evidence.strict_json import read_lines
from ci_gate.measure.probes.postgres import PostgresProbe
from ci_gate.measure.probes.server_cpu import ServerCpu
from tests.servers import contained_postgres
from tests.service.services import await_true

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres_url):
    """A database of this test's own."""
    name = f"probed_{time.monotonic_ns()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_url.removesuffix("/postgres") + f"/{name}"


@pytest.fixture
def notes():
    return []


@pytest.fixture
def open_probe(tmp_path, notes):
    probes = []

    def make(conninfo):
        probes.append(PostgresProbe(conninfo, LineWriter(tmp_path / "statements.jsonl"), notes.append))
        return probes[-1]

    yield make
    for probe in probes:
        probe.disconnect()


@contextmanager
def running(url, statement):
    """A session that is in the middle of a statement until the block ends."""
    with psycopg.connect(url, autocommit=True) as connection:
        thread = threading.Thread(target=execute, args=(connection, statement))
        thread.start()
        time.sleep(0.3)
        try:
            yield
        finally:
            connection.cancel()
            thread.join()


def execute(connection, statement):
    try:
        connection.execute(statement)
    except psycopg.errors.QueryCanceled:
        connection.rollback()


def own_pid(url):
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'ci-gate probe' AND datname = current_database()"
        ).fetchall()
    assert len(found) == 1
    return found[0][0]


def test_idle_database__only_the_probe_is_there_and_does_not_count(url, open_probe):
    probe = open_probe(url)
    probe.read()
    values = probe.read()
    kind = next(kind for kind in PROBE_KINDS if kind.name == "postgres")
    assert {*values} == {*kind.gauges, *kind.counters} - {"statement_calls"}
    assert "server_cpu_s" in values
    gauges = [name for name in kind.gauges if name not in {"server_started_s", "database_oid"}]
    assert {name: values[name] for name in gauges} == dict.fromkeys(gauges, 0) | {
        "max_connections": 200,
        "reserved_connections": 3,
    }


def test_reserved_connections__are_not_kept_from_a_service_that_is_an_administrator(url, open_probe):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE clerk_of_shop LOGIN")
        probe = open_probe(url)
        assert probe.read()["reserved_connections"] == 0
    assert await_true(lambda: probe.read()["connections_total"] == 0)
    with psycopg.connect(as_user(url, "clerk_of_shop")):
        values = probe.read()
        assert (values["connections_total"], values["reserved_connections"]) == (1, 3)


def test_lock__one_waits_for_the_other(url, open_probe):
    probe = open_probe(url)
    with psycopg.connect(url) as holder:
        holder.execute("CREATE TABLE t AS SELECT 1 AS x")
        holder.commit()
        holder.execute("UPDATE t SET x = 2")
        with running(url, "UPDATE t SET x = 3"):
            values = probe.read()
        assert (values["waiting_lock"], values["blocked"], values["on_cpu"]) == (1, 1, 0)
        assert (values["connections_active"], values["connections_idle_in_transaction"]) == (1, 1)
        assert values["connections_total"] == 2
        assert values["longest_transaction_s"] > 0.3
        holder.commit()
        values = probe.read()
    assert (values["waiting_lock"], values["blocked"], values["connections_active"]) == (0, 0, 0)
    assert (values["connections_idle_in_transaction"], values["longest_transaction_s"]) == (0, 0)
    assert values["connections_idle"] >= 1


def test_active__on_cpu_or_waiting_for_something_else(url, open_probe):
    probe = open_probe(url)
    with running(url, "SELECT pg_sleep(30)"):
        values = probe.read()
    assert (values["connections_active"], values["waiting_other"], values["on_cpu"]) == (1, 1, 0)
    with running(url, "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$"):
        values = probe.read()
    assert (values["connections_active"], values["waiting_other"], values["on_cpu"]) == (1, 0, 1)


def test_other_database__counts_only_against_the_servers_connections(url, postgres_url, open_probe):
    probe = open_probe(url)
    with running(postgres_url, "SELECT pg_sleep(30)"):
        values = probe.read()
    assert (values["connections_total"], values["connections_active"], values["waiting_other"]) == (1, 0, 0)


def test_counters__grow_with_what_is_done(url, open_probe):
    probe = open_probe(url)
    before = probe.read()
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(20):
            connection.execute("SELECT count(*) FROM pg_class")
        connection.execute("SELECT pg_stat_force_next_flush()")
    after = probe.read()
    assert after["commits"] - before["commits"] >= 20
    assert after["blocks_hit"] > before["blocks_hit"]
    assert after["deadlocks"] == before["deadlocks"] == 0


def test_statements__the_slowest_with_their_totals(url, open_probe, tmp_path, notes):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA elsewhere")
        connection.execute("CREATE EXTENSION pg_stat_statements SCHEMA elsewhere")
        connection.execute("SELECT pg_sleep(0.02) /* slow */")
        probe = open_probe(url)
        probe.read()
        for _ in range(3):
            connection.execute("SELECT pg_sleep(0.02) /* slow */")
        connection.execute("CREATE ROLE clerk PASSWORD 'tell-nobody'")
        connection.execute("DROP ROLE clerk")
    probe.read()
    probe.finish()
    readings = read_lines(tmp_path / "statements.jsonl", StatementReading)
    assert len(readings) == 2  # at the first reading and at the end; in between every five seconds
    assert readings[0].statements == ()  # what was before is of others
    slowest = readings[-1].statements[0]
    assert (slowest.query, slowest.calls) == ("SELECT pg_sleep($1) /* slow */", 3)
    assert 60 <= slowest.total_ms < 1000
    text = (tmp_path / "statements.jsonl").read_text()
    assert "tell-nobody" not in text
    assert "ci-gate" not in text
    assert notes == []


def test_statement_calls__are_those_of_this_database_and_not_the_probes(url, postgres_url, open_probe, notes):
    other = urlsplit(url)._replace(path="/postgres").geturl()
    with (
        psycopg.connect(url, autocommit=True) as connection,
        psycopg.connect(other, autocommit=True) as elsewhere,
    ):
        connection.execute("CREATE EXTENSION pg_stat_statements")
        probe = open_probe(url)
        readings = [probe.read() for _ in range(4)]
        for number in range(30):
            connection.execute(f"SELECT {number}")
            elsewhere.execute("SELECT 1")
        readings += [probe.read() for _ in range(3)]
    calls = [reading["statement_calls"] for reading in readings]
    assert [after - before for before, after in pairwise(calls[2:])] == [0, 30, 0, 0]
    assert notes == []


def test_database__is_told_from_another_of_the_same_server(url, postgres_url, open_probe):
    first, again, other = (open_probe(each).read() for each in (url, url, postgres_url))
    names = ("server_started_s", "database_oid")
    assert [first[name] for name in names] == [again[name] for name in names]
    assert first["database_oid"] != other["database_oid"]
    assert first["server_started_s"] == other["server_started_s"] == pytest.approx(time.time(), abs=3600)


def test_statements__without_the_extension_are_noted_once(url, open_probe, tmp_path, notes):
    probe = open_probe(url)
    for _ in range(2):
        probe.read()
        probe.disconnect()
    probe.finish()
    assert notes == ["postgres: pg_stat_statements is not installed in this database: no slowest statements"]
    assert (tmp_path / "statements.jsonl").read_text() == ""


def test_statements__that_may_not_be_read_do_not_stop_the_readings(url, open_probe, tmp_path, notes):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("REVOKE ALL ON pg_stat_statements FROM public")
        connection.execute("CREATE ROLE reader LOGIN")
    probe = open_probe(as_user(url, "reader"))
    for _ in range(2):
        assert probe.read()["max_connections"] == 200
    assert (
        len([note for note in notes if "pg_stat_statements cannot be read: permission denied" in note]) == 1
    )
    assert (tmp_path / "statements.jsonl").read_text() == ""


def as_user(url, name):
    return url.replace("postgres@", f"{name}@")


def test_privileges__states_of_others_take_pg_monitor(url, open_probe, notes):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE outsider LOGIN")
        with running(url, "SELECT pg_sleep(30)"):
            probe = open_probe(as_user(url, "outsider"))
            values = probe.read()
            assert (values["connections_total"], values["connections_active"]) == (2, 0)
            assert (
                "postgres: the states of 2 connections of other users are hidden: grant pg_monitor" in notes
            )
            connection.execute("GRANT pg_monitor TO outsider")
            assert probe.read()["connections_active"] == 1


def test_session_ended_by_the_server__an_error_then_it_connects_again(url, open_probe):
    probe = open_probe(url)
    probe.read()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend({own_pid(url)})")
    with pytest.raises(psycopg.OperationalError):
        probe.read()
    probe.disconnect()
    assert probe.read()["max_connections"] == 200


def test_server_that_hangs__is_left_after_two_seconds(url, open_probe):
    probe = open_probe(url)
    probe.read()
    pid = own_pid(url)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError):
            probe.read()
        assert 1.9 < time.monotonic() - began < 30
        probe.disconnect()
        assert probe.read()["max_connections"] == 200
    finally:
        os.kill(pid, signal.SIGCONT)


def test_statement_that_waits__is_cancelled_by_the_server_after_a_second(url, open_probe):
    probe = open_probe(url)
    probe.read()
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE pg_database IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            probe.read()
        assert time.monotonic() - began > 0.9
    assert probe.read()["max_connections"] == 200


def test_no_server__is_told_within_the_time_out(open_probe):
    with pytest.raises(psycopg.OperationalError, match="refused"):
        open_probe("postgresql://postgres@127.0.0.1:1/postgres").read()


def test_max_connections_reached__is_an_error_that_says_so(url, postgres_url, open_probe):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} CONNECTION LIMIT 0")
        connection.execute("CREATE ROLE crowd LOGIN")
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        open_probe(as_user(url, "crowd")).read()


BUSY = "SELECT count(*) FROM generate_series(1, 3000000)"


def read_cpu(probe):
    return probe.read().get("server_cpu_s")


def test_server_cpu__is_of_all_processes_of_this_server_that_ended_too(url, open_probe):
    probe = open_probe(url)
    assert read_cpu(probe) == 0  # since the first look
    time.sleep(0.2)
    idle_s = read_cpu(probe)
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(BUSY)
        running_s = read_cpu(probe)
    assert running_s - idle_s > 0.15
    time.sleep(0.5)
    assert read_cpu(probe) >= running_s  # the session's process is gone, what it used is not


def test_server_cpu__of_a_server_that_is_not_found_is_not_known():
    assert ServerCpu(2**22 - 1, 1).read() is None
    assert ServerCpu(os.getpid(), None).read() is None  # the id is here, and is no PostgreSQL's


@pytest.fixture
def contained_url():
    with contained_postgres() as url:
        yield url


def test_server_cpu__of_a_server_in_a_namespace_of_its_own_is_read(contained_url, open_probe):
    probe = open_probe(contained_url)
    assert read_cpu(probe) == 0
    with psycopg.connect(contained_url, autocommit=True) as connection:
        connection.execute(BUSY)
        assert read_cpu(probe) > 0.05
