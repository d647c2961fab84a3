"""What locustfiles say beside their requests, in a real Locust: hosts, variables, exit codes, redirects."""

from __future__ import annotations

import contextlib
import socketserver
import subprocess
import sys
import threading

import pytest

from ci_gate.evidence.samples import ENDED_WELL
from tests.site import running_site

VISITOR = """
    import os
    from locust import {base}, constant, events, task

    class Visitor({base}):
        wait_time = constant(0.05)

        @task
        def visit(self):
"""


def visits(base: str, *lines: str, after: str = "") -> str:
    return VISITOR.replace("{base}", base) + "".join(f"            {line}\n" for line in lines) + after


@pytest.fixture
def other_site():
    with running_site() as url:
        yield url


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_redirect__to_another_server_is_of_that_server(run_locust, base, site, other_site):
    recording = run_locust(
        visits(
            base,
            'self.client.get("/ok")',
            f'self.client.get("/to/{other_site}/ok", name="/away")',
            'self.client.get("/to/HOME/ok", name="/back")'.replace(
                "HOME", site.replace("127.0.0.1", "localhost")
            ),
        ),
        users={"Visitor": 1},
    )
    assert recording.totals.other_hosts == {"GET /away": other_site.removeprefix("http://")}


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_redirect__pages_are_counted_by_who_answered(run_locust, base):
    recording = run_locust(
        visits(
            base,
            'self.client.get("/to//login?next=/account", name="/account")',
            'self.client.get("/to//login?next=/orders", name="/orders")',
            'self.client.post("/to//orders/7", name="/orders")',
            'self.client.get("/slash")',
            'self.client.get("/to//elsewhere", name="/kept", allow_redirects=False)',
        ),
        users={"Visitor": 1},
    )
    totals = recording.totals
    assert totals.other_hosts == {}
    assert {(each.endpoint, each.page) for each in totals.redirects} == {
        ("GET /account", "/login"),
        ("GET /orders", "/login"),
        ("POST /orders", "/orders/7"),
    }
    sent = recording.samples["start_s"] >= recording.mark("steady").wall_s
    account = recording.strings.index("GET /account")
    count = next(each.count for each in totals.redirects if each.endpoint == "GET /account")
    assert abs(count - int((recording.samples["endpoint"][sent] == account).sum())) <= 1


@pytest.mark.parametrize("base", ["FastHttpUser", "HttpUser"])
def test_redirect__of_many_pages_under_one_name_says_so(run_locust, base):
    recording = run_locust(
        visits(
            base,
            "for number in range(3):",
            '    self.client.get(f"/members?page={number}", name="/one")',
            '    self.client.get(f"/members/{number}", name="/items")',
        ),
        users={"Visitor": 1},
    )
    asked = {each.endpoint: (each.asked, each.also_asked) for each in recording.totals.redirects}
    assert asked["GET /one"] == ("/members", "")
    assert len({*asked["GET /items"]} - {""}) == 2


def test_redirect__of_a_first_visit_in_the_ramp_is_not_counted(run_locust):
    recording = run_locust(
        visits(
            "HttpUser",
            'self.client.get("/ok")',
            after='\n        def on_start(self):\n            self.client.get("/to//login")\n',
        ),
        users={"Visitor": 2},
    )
    assert recording.totals.redirects == ()


def test_redirect__every_result_a_page_of_its_own_stays_small(run_locust):
    recording = run_locust(
        visits(
            "FastHttpUser",
            "for number in range(200):",
            '    self.client.post(f"/to//orders/{id(self)}{number}", name="/orders")',
            '    self.client.get("/to//login", name="/account")',
        ),
        users={"Visitor": 1},
    )
    pages = [each.page for each in recording.totals.redirects if each.endpoint == "POST /orders"]
    assert len(pages) <= 50
    assert next(each for each in recording.totals.redirects if each.page == "/login").count > 10


@pytest.mark.parametrize("event", ["test_stop", "quitting"])
def test_exit_code__of_the_locustfile_is_kept_with_what_it_printed(run_locust, event):
    recording = run_locust(
        visits(
            "FastHttpUser",
            'self.client.get("/ok")',
            after=f"""
    @events.{event}.add_listener
    def check(environment, **_):
        print("checking the books")
        import logging
        logging.error("the books do not balance")
        environment.process_exit_code = 3
""",
        ),
        users={"Visitor": 1},
        status=3,
    )
    assert recording.totals.exit_code.code == "3"
    assert recording.totals.exit_code.printed[-2:] == ("checking the books", "the books do not balance")


@pytest.mark.parametrize("code", ["0", "None", "False"])
def test_exit_code__success_is_none(run_locust, code):
    recording = run_locust(
        visits(
            "FastHttpUser",
            'self.client.get("/status/404")',
            after=f"""
    @events.quitting.add_listener
    def check(environment, **_):
        environment.process_exit_code = {code}
""",
        ),
        users={"Visitor": 1},
    )
    assert recording.totals.exit_code is None


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("environment.runner.quit()", "in watch"),
        ("environment.runner.stop()", "in watch"),
        ("gevent.spawn_later(0, environment.runner.quit)", ""),
    ],
)
def test_stop__of_the_locustfile_is_kept_with_its_line(run_locust, code, where):
    recording = run_locust(
        visits(
            "FastHttpUser",
            'self.client.get("/ok")',
            after=f"""
    import gevent

    def watch(environment):
        gevent.sleep(0.6)
        print("that is enough")
        {code}

    @events.test_start.add_listener
    def begin(environment, **_):
        gevent.spawn(watch, environment)
""",
        ),
        users={"Visitor": 1},
        duration_s=20.0,
    )
    stopped = recording.totals.stopped
    assert stopped.where.endswith(where)
    assert bool(stopped.where) is bool(where)
    assert stopped.printed[-1] == "that is enough"
    assert recording.mark("stopping").monotonic_s - recording.mark("started").monotonic_s < 10
    assert recording.totals.left_users == {}


def test_stop__as_planned_is_none(run_locust):
    recording = run_locust(visits("FastHttpUser", 'self.client.get("/ok")'), users={"Visitor": 1})
    assert recording.totals.stopped is None
    assert recording.totals.left_users == {}


def test_users__that_leave_by_stop_user_are_counted(run_locust):
    recording = run_locust(
        """
        from locust import FastHttpUser, constant, task
        from locust.exception import StopUser

        class Visitor(FastHttpUser):
            wait_time = constant(0.05)

            @task
            def visit(self):
                self.client.get("/ok")

        class Leaver(Visitor):
            @task
            def leave(self):
                raise StopUser

        class Failing(Visitor):
            def on_start(self):
                raise ValueError
        """,
        users={"Visitor": 1, "Leaver": 2, "Failing": 1},
    )
    assert recording.totals.left_users == {"Leaver": 2}
    assert recording.totals.stopped is None


LEAVE_AT_ONCE = """
import gevent
from gevent.pool import Group
from locust import User
from ci_gate.measure.in_locust.leaving import Leavers

class Leaver(User):
    def run(self):
        pass

leavers, group = Leavers(), Group()
leavers.watch()
for _ in range(3):
    Leaver(None).start(group)
gevent.sleep(0)  # each has run; what was to be told of their ends has not been
print(*leavers.counts.items())
"""


def test_users__that_leave_are_counted_before_anybody_finds_them_gone():
    """Else the test ends with the last of them, and who ends after that does not count."""
    script = [sys.executable, "-c", LEAVE_AT_ONCE]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "('Leaver', 3)\n"


def test_variables__only_those_of_locusts_own_options_are_taken(run_locust, monkeypatch):
    monkeypatch.setenv("LOCUST_PASSWORD", "s3cret")
    monkeypatch.setenv("LOCUST_TENANT", "acme")
    monkeypatch.setenv("LOCUST_EXCLUDE_TAGS", "[told]")
    monkeypatch.setenv("LOCUST_RUN_TIME", "1")
    monkeypatch.setenv("LOCUST_USER_CLASSES", "Nobody")
    recording = run_locust(
        """
        import os
        from locust import FastHttpUser, constant, events, tag, task

        @events.init_command_line_parser.add_listener
        def add(parser):
            parser.add_argument("--tenant", env_var="LOCUST_TENANT", default="nobody")

        class Visitor(FastHttpUser):
            wait_time = constant(0.05)

            @tag("told")
            @task
            def visit(self):
                password, tenant = os.environ["LOCUST_PASSWORD"], self.environment.parsed_options.tenant
                left = ",".join(name for name in os.environ if name.startswith("LOCUST_"))
                self.client.get("/ok", name=f"/{password}/{tenant}/{left}")
        """,
        users={"Visitor": 1},
    )
    called = {recording.strings[number] for number in recording.samples["endpoint"]}
    assert called == {"GET /s3cret/acme/LOCUST_PASSWORD,LOCUST_TENANT"}


@contextlib.contextmanager
def line_server():
    class Echo(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_own_host__of_a_user_that_is_no_http_user_is_kept(run_locust, site):
    with line_server() as address:
        recording = run_locust(
            f"""
            import socket, time
            from locust import HttpUser, User, constant, task

            class Lines(User):
                host = "{address}"
                wait_time = constant(0.05)

                @task
                def ask(self):
                    with self.environment.events.request.measure("line", "ask"):
                        host, port = self.host.split(":")[:2]
                        with socket.create_connection((host, int(port)), 2) as sock:
                            sock.sendall(b"hello" + bytes([10]))
                            assert sock.recv(9)[:5] == b"hello"

            class Shouts(Lines):
                host = "{address}:loud"

                @task
                def ask(self):
                    with self.environment.events.request.measure("shout", self.host[-4:]):
                        pass

            class Web(HttpUser):
                host = "127.0.0.1:9"
                wait_time = constant(0.05)

                @task
                def visit(self):
                    self.client.get("/ok")

            class Pages(User):
                host = "http://127.0.0.1:9"
                wait_time = constant(0.05)

                @task
                def visit(self):
                    with self.environment.events.request.measure("page", self.host):
                        pass
            """,
            users={"Lines": 1, "Shouts": 1, "Web": 1, "Pages": 1},
        )
    assert set(recording.samples["ending"]) == {ENDED_WELL}
    called = {recording.strings[number] for number in recording.samples["endpoint"]}
    assert called == {"line ask", "shout loud", "GET /ok", f"page {site}"}  # Shouts has the task of Lines too
    assert recording.totals.own_hosts == {"Lines": address, "Shouts": f"{address}:loud"}
