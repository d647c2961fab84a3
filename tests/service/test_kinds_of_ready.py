"""Services as strangers have them: one port, no page at /, a database first, several processes, TLS, IPv6."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from ci_gate.errors import BadInputError, ServiceError
from ci_gate.service.start import start_service
from ci_gate.thresholds import Ready
from tests.servers import free_port
from tests.service.services import app_command, make_service, pids_with, unique

TLS_SERVER = """
import http.server, ssl, sys
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


CONNECT = f"{sys.executable} -c 'import socket; socket.create_connection((\"127.0.0.1\", {{port}}))'"


def python(code: str) -> str:
    return f"{sys.executable} -c {code!r}" if "'" not in code else f'{sys.executable} -c "{code}"'


@pytest.mark.parametrize(
    ("ready", "arguments"),
    [
        (Ready(path="/", statuses=(401, 404)), ("--status", "404 Not Found")),
        (Ready(), ("--answer", "nonsense")),
        (Ready(command=CONNECT), ()),
    ],
    ids=str,
)  # fmt: skip
def test_ready__in_each_way(placement, watchdog, ready, arguments):
    service = make_service("command", app_command("--wait", "0.3", *arguments), ready=ready)
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.ready_after_s >= 0.3


@pytest.mark.parametrize(
    ("ready", "arguments", "message"),
    [
        (Ready(path="/", statuses=(401,)), ("--status", "404 Not Found"), "answered 404"),
        (Ready(), ("--wait", "60"), r"connect to 127\.0\.0\.1:\d+: nothing listens there yet"),
        (Ready(command="sh -c 'echo no route; exit 7'"), (), "ready failed: exit status 7: no route"),
        (Ready(command="sleep 60"), (), r"ready did not end within 4 s"),
    ],
    ids=str,
)
def test_ready__what_is_wrong_is_said(placement, watchdog, ready, arguments, message):
    placement.environ["TEST_TAG"] = tag = unique()
    service = make_service("command", app_command(*arguments), ready=ready, ready_timeout_s=4.0)
    with pytest.raises(ServiceError, match=message), start_service(service, placement, watchdog=watchdog):
        pass
    assert pids_with(tag) == []


def test_fixed_port__is_the_service_s(placement, watchdog):
    port = free_port()
    service = make_service("command", app_command().replace("{port}", str(port)), port=port)
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.url == f"http://127.0.0.1:{port}"
        with pytest.raises(ServiceError, match=f"port {port} of service.port is taken"):
            start_service(service, placement, watchdog=watchdog).__enter__()


def test_before_start__makes_what_the_service_needs(placement, watchdog):
    make = "touch {state}/database"
    serve = f"test -e {{state}}/database && exec {app_command()}"
    service = make_service("command", f"sh -c '{serve}'", before_start=make)
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.alive()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("false", "before_start failed: exit status 1: false"),
        ("sleep 60", "before_start did not end within 0.3 s"),
    ],
)
def test_before_start__that_fails_starts_no_service(placement, watchdog, command, message):
    service = make_service("command", app_command(), before_start=command, before_start_timeout_s=0.3)
    with pytest.raises(ServiceError, match=message), start_service(service, placement, watchdog=watchdog):
        pass
    assert "listening" not in placement.log_path.read_text()


def test_processes__run_beside_the_command_and_end_with_it(placement, watchdog):
    placement.environ["TEST_TAG"] = tag = unique()
    worker = python("import os,time; print(os.environ['MODE'], flush=True); time.sleep(60)")
    service = make_service(
        "command", app_command(), processes=(("worker", worker),), env=(("MODE", "{side} works"),)
    )
    with start_service(service, placement, watchdog=watchdog) as running:
        assert len(running.process_ids()) == 2
        assert set(running.process_ids()) == set(pids_with(tag)) - {watchdog.pid}
    assert placement.log_path.with_name("head.processes.worker.log").read_text() == "head works\n"
    assert pids_with(tag) == []


def test_processes__one_that_ends_is_the_end_of_the_service(placement, watchdog):
    dies_later = (("worker", "sh -c 'sleep 1; exit 5'"),)
    with start_service(
        make_service("command", app_command(), processes=dies_later), placement, watchdog=watchdog
    ) as running:
        deadline = time.monotonic() + 20
        while running.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert running.ended() == "exit status 5 of process worker"
        assert running.exit_status() == 5


def test_processes__one_that_does_not_start_shows_its_own_log(placement, watchdog):
    broken = (("worker", "sh -c 'echo no broker; exit 5'"),)
    service = make_service("command", app_command("--wait", "60"), processes=broken)
    with (
        pytest.raises(ServiceError, match=r"exit status 5 of process worker\n.*worker.log ---\nno broker"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pass


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_hint__a_service_on_ipv6_alone_is_named(placement, watchdog):
    listen = "s = socket.create_server(('::1', {port}), family=socket.AF_INET6)"
    command = python(f"import socket, time; {listen}; time.sleep(60)")
    service = make_service("command", command, ready=Ready(), ready_timeout_s=3.0)
    with (
        pytest.raises(ServiceError, match=r"it listens on \[::1\]:\d+ alone: let it listen on 127\.0\.0\.1"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pass


def test_hint__a_service_on_another_port_is_named(placement, watchdog):
    port = free_port()
    command = f"{app_command().replace('{port}', str(port))} --say {{port}}"
    service = make_service("command", command, ready_timeout_s=3.0)
    with (
        pytest.raises(
            ServiceError, match=rf"it listens on port {port}, not on \d+: give it {{port}}, or say port"
        ),
        start_service(service, placement, watchdog=watchdog),
    ):
        pass


def make_certificates(folder):
    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=our own")  # fmt: skip
    run(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
        "-subj",
        "/CN=shop",
    )
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
        "server.pem", "-days", "2", "-extfile", "extensions")  # fmt: skip


def test_ca__a_service_with_a_certificate_of_its_own_authority(placement, watchdog):
    make_certificates(placement.repository)
    (placement.repository / "serve.py").write_text(TLS_SERVER)
    command = f"{sys.executable} serve.py {{port}}"
    service = make_service("command", command, ready=Ready(path="/"), ca="ca.pem")
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.url.startswith("https://127.0.0.1:")
        untrusting = make_service("url", running.url, ready=Ready(path="/"), ready_timeout_s=4.0)
        with (
            pytest.raises(ServiceError, match=r"name the file of its certificates as service\.ca"),
            start_service(untrusting, placement, watchdog=watchdog),
        ):
            pass


def test_ca__a_file_that_is_not_there_is_bad_input(placement, watchdog):
    service = make_service("command", app_command(), ca="none.pem")
    with pytest.raises(BadInputError, match=r"service\.ca: .*none\.pem is no file"):
        start_service(service, placement, watchdog=watchdog).__enter__()
