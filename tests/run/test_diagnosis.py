"""What a real run says of a service that is held up by one thing: it names that thing first."""

from __future__ import annotations

import pytest

from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG, SITE
from tests.repositories import commit_base
from tests.servers import make_databases, running_postgres

# A pre-fork server with two workers, each of which serves one connection at a time and waits meanwhile.
TWO_SYNC_WORKERS = """
import os, socket, sys, time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog={backlog})
while any(os.fork() == 0 for _ in range(2)):
    while True:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while b"\\r\\n\\r\\n" not in asked and (part := connection.recv(65536)):
                asked += part
            if b" /ok " in asked:
                time.sleep(0.05)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
os.wait()
"""
# Each user has a thread and a connection of its own. What it does for a request stands for `{work}`.
SHOP = f"""
import importlib.util, os, sys, threading, time
import psycopg

spec = importlib.util.spec_from_file_location("site_for_tests", {str(SITE)!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
own = threading.local()

class Handler(site.Handler):
    def do_GET(self):
        if self.path == "/ok":
            try:
                self.work()
            except psycopg.OperationalError as error:
                print(error, flush=True)
                self.reply(500, b"no connection")
                return
        super().do_GET()

    def work(self):
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(os.environ["SHOP_URL"], autocommit=True)
        execute = own.connection.execute
        {{work}}

with psycopg.connect(os.environ["SHOP_URL"], autocommit=True) as connection:
    for statement in {{setup}}:
        connection.execute(statement)
with site.Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""
ITEMS = (
    "CREATE TABLE IF NOT EXISTS items (id int, name text)",
    "TRUNCATE items",
    "INSERT INTO items SELECT number, 'name' FROM generate_series(1, 60000) AS number",
    "DROP INDEX IF EXISTS by_id",
    "CREATE INDEX by_id ON items (id)",
    "ANALYZE items",
)
ONE_ITEM = 'execute("SELECT name FROM items WHERE id = %s", [7]).fetchall()'


def write_shop(repository, work, setup=()):
    repository.write("service.py", SHOP.format(work=work, setup=repr(setup)))


def judge(call, repository, out, *options):
    _code, table, _progress = call("run", "--thresholds", repository.thresholds, "--out", out, *options)
    (scenario,) = decode_verdict((out / "verdict.json").read_bytes()).scenarios
    assert scenario.diagnosis is not None, table
    return scenario


def diagnose(call, repository, out, *options):
    return judge(call, repository, out, *options).diagnosis


def codes(diagnosis):
    return [cause.code for cause in diagnosis.causes]


@pytest.fixture
def shop(repository):
    """A service with a PostgreSQL, which is probed; nothing of a pool is."""
    repository.edit("thresholds.yaml", "profiles:", "probes: {postgres: '${SHOP_SERVER}/{side}'}\nprofiles:")
    repository.edit("thresholds.yaml", "  ready: /", "  ready: /\n  env: {SHOP_URL: '${SHOP_SERVER}/{side}'}")
    repository.edit("thresholds.yaml", "{duration: 2s", "{duration: 5s")
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 20")
    repository.edit("thresholds.yaml", "p50: 500ms", "p50: 100ms")
    return repository


@pytest.mark.parametrize(("users", "backlog", "named"), [(60, 1024, True), (60, 5, True), (1, 1024, False)])
def test_two_sync_workers__and_many_users_wait_in_the_listen_queue(
    users, backlog, named, repository, call, tmp_path
):
    repository.write("service.py", TWO_SYNC_WORKERS.replace("{backlog}", str(backlog)))
    repository.edit("thresholds.yaml", "{duration: 2s", "{duration: 4s")
    repository.edit("thresholds.yaml", "Visitor: 5", f"Visitor: {users}")
    scenario = judge(call, repository, tmp_path / "out")
    causes = scenario.diagnosis.causes
    assert [cause.code for cause in causes[:1]] == (["listen-queue"] if named else [])
    # Who finds a short queue full tries again after 1, 3, 7... s; those who got in are quick.
    waiting = [each.message for each in scenario.findings if each.code == "users-waiting"]
    assert bool(waiting) == (backlog < users)
    if named:
        numbers = " ".join(causes[0].numbers)
        assert "2 processes accept them" in numbers
        assert ("found a listen queue full" in numbers) == (backlog < users)
        assert causes[0].share is None if backlog < users else causes[0].share > 0.8


@pytest.mark.postgres
def test_transactions__that_stay_open_are_named_and_a_wait_outside_of_one_is_not(
    shop, call, tmp_path, monkeypatch
):
    waits = "time.sleep(0.3)"
    with running_postgres(tmp_path) as url:
        monkeypatch.setenv("SHOP_SERVER", make_databases(url))
        write_shop(
            shop, f"with own.connection.transaction():\n            execute('SELECT 1')\n            {waits}"
        )
        diagnosis = diagnose(call, shop, tmp_path / "open")
        assert codes(diagnosis)[0] == "open-transaction"
        assert diagnosis.causes[0].share > 0.7
        assert "sessions idled in a transaction" in diagnosis.causes[0].numbers[1]
        write_shop(shop, f"execute('SELECT 1')\n        {waits}")
        assert codes(diagnose(call, shop, tmp_path / "outside")) == ["unknown"]


@pytest.mark.postgres
@pytest.mark.parametrize(("max_connections", "named"), [(10, True), (100, False)])
def test_server_without_a_connection_left__is_named(
    max_connections, named, shop, call, tmp_path, monkeypatch
):
    with running_postgres(tmp_path, max_connections=max_connections) as url:
        monkeypatch.setenv("SHOP_SERVER", make_databases(url))
        write_shop(shop, "execute('SELECT pg_sleep(0.05)')")
        diagnosis = diagnose(call, shop, tmp_path / "out")
    if named:
        assert codes(diagnosis)[0] == "database-connections"
        assert "too many clients" in (tmp_path / "out" / "visits" / "head" / "service.log").read_text()
    else:
        assert "database-connections" not in codes(diagnosis)


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "code", "calls"),
    [
        ((ONE_ITEM, ITEMS[:-2]), "statement-growth", (1, 1)),
        pytest.param((f"for _ in range(12): {ONE_ITEM}", ITEMS), "n-plus-one", (1, 12), marks=LONG),
        ((ONE_ITEM, ITEMS), None, ()),
    ],
)
def test_statement__that_grew_against_base_is_named(changed, code, calls, shop, call, tmp_path, monkeypatch):
    shop.edit("thresholds.yaml", "    limits:", "    regression: {p50: 10%}\n    limits:")
    shop.edit("thresholds.yaml", "profiles:", "compare: {max_duration: 30s, confirm: false}\nprofiles:")
    shop.edit("thresholds.yaml", "Visitor: 20", "Visitor: 5")
    write_shop(shop, ONE_ITEM, ITEMS)
    commit_base(shop.folder)
    write_shop(shop, *changed)
    with running_postgres(tmp_path) as url:
        monkeypatch.setenv("SHOP_SERVER", make_databases(url))
        diagnosis = diagnose(call, shop, tmp_path / "out", "--base", "HEAD", "--no-profile-code")
    query = "SELECT name FROM items WHERE id = $1"
    if code is None:
        assert not {"statement-growth", "n-plus-one"} & {*codes(diagnosis)}
        return
    assert codes(diagnosis)[0] == code
    assert any(query in line for line in diagnosis.causes[0].numbers)
    growth = diagnosis.statements[0]
    assert growth.query == query
    assert (growth.base_calls, growth.head_calls) == pytest.approx(calls, rel=0.05)
    assert growth.head_ms > 2 * growth.base_ms
    page = (tmp_path / "out" / "report.html").read_text()
    assert query in page
    assert query in (tmp_path / "out" / "report.md").read_text()
