from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ci_gate.errors import BadInputError, OutsideError, ServiceError
from ci_gate.service import start as start_module
from ci_gate.service.start import start_service
from tests.servers import free_port
from tests.service.services import APP, app_command, await_true, make_service, pids_running, pids_with, unique


@pytest.fixture
def tag(placement):
    """A text in the environment of everything that the placement starts."""
    text = unique()
    placement.environ["TEST_TAG"] = text
    return text


def test_command__is_up_inside_and_gone_after(placement, watchdog, tag):
    service = make_service("command", app_command("--say", "hello"))
    with start_service(service, placement, watchdog=watchdog) as running:
        assert running.alive()
        assert running.ended() is None
        assert running.exit_status() is None
        assert running.restarts() == 0
        assert running.container_id is None
        assert running.kind == "command"
        assert running.url.startswith("http://127.0.0.1:")
        assert running.ready_after_s > 0
        assert set(running.process_ids()) == set(pids_with(tag)) - {watchdog.pid}
        assert running.log_tail().splitlines()[0] == "hello"
    assert not running.alive()
    assert running.ended() == "killed by SIGTERM"
    assert running.exit_status() == -15
    assert pids_with(tag) == []


def test_command__sees_environment_placeholders_and_folder(placement, watchdog):
    script = placement.repository / "show.py"
    script.write_text(
        "import os, sys\n"
        "env = os.environ\n"
        "print(os.getcwd(), env['GREETING'], env['INHERITED'], env['STATE'], *sys.argv[1:])\n"
        f"sys.argv[1:] = ['--port', sys.argv[1]]\nexec(open({str(APP)!r}).read())\n"
    )
    placement.environ["INHERITED"] = "from outside"
    service = make_service(
        "command",
        f"{sys.executable} -u show.py {{port}} {{side}} 'two words' '{{\"a\": 1}}'",
        env=(("GREETING", "${NAME:-nobody} at {port}"), ("STATE", "{state}")),
    )
    with start_service(service, placement, watchdog=watchdog) as running:
        port = running.url.rpartition(":")[2]
        shown = running.log_tail().splitlines()[0]
        state = placement.state_dir
        assert shown == (
            f'{placement.repository} nobody at {port} from outside {state} {port} head two words {{"a": 1}}'
        )
        assert state.is_dir()
        assert dict(running.env) == {"GREETING": f"nobody at {port}", "STATE": str(state)}


def test_command__that_starts_slowly_is_awaited(placement, watchdog):
    with start_service(
        make_service("command", app_command("--wait", "0.6")), placement, watchdog=watchdog
    ) as running:
        assert running.ready_after_s >= 0.6


def test_command__that_is_never_ready(placement, watchdog, tag):
    service = make_service("command", app_command("--status", "503 Busy"), ready_timeout_s=4.0)
    with (
        pytest.raises(ServiceError, match=r"not ready after 4 s: GET http://127.* answered 503") as caught,
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("yielded a service that is not ready")
    assert "sent all" in caught.value.log_tail
    assert pids_with(tag) == []


def test_command__that_dies_at_start_shows_its_last_20_lines(placement, watchdog):
    many = "\n".join(f"line {number}" for number in range(100))
    service = make_service("command", app_command("--say", many, "--exit", "3"), ready_timeout_s=60)
    started = time.monotonic()
    with (
        pytest.raises(ServiceError, match="ended before it was ready: exit status 3") as caught,
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("yielded a dead service")
    assert time.monotonic() - started < 50  # it was not waited for
    assert caught.value.log_tail.splitlines() == [f"line {number}" for number in range(80, 100)]


def test_command__log_of_an_earlier_start_is_kept_and_not_shown(placement, watchdog):
    placement.log_path.parent.mkdir()
    placement.log_path.write_text("from an earlier start\n")
    service = make_service("command", app_command("--say", "new", "--exit", "1"))
    with pytest.raises(ServiceError) as caught, start_service(service, placement, watchdog=watchdog):
        pass
    assert caught.value.log_tail == "new"
    assert placement.log_path.read_text() == "from an earlier start\nnew\n"


@pytest.mark.parametrize(
    ("target", "words"),
    [("/no/such/program --port {port}", "No such file"), (".", "cannot start"), ("'\0'", "null byte")],
)
def test_command__that_cannot_be_started(placement, watchdog, target, words):
    with (
        pytest.raises(ServiceError, match=words),
        start_service(make_service("command", target), placement, watchdog=watchdog),
    ):
        pytest.fail("started")


@pytest.mark.parametrize(("target", "words"), [("serve 'open", "No closing quotation"), ("  ", "is empty")])
def test_command__that_is_no_command(placement, watchdog, target, words):
    with (
        pytest.raises(BadInputError, match=rf"thresholds\.yaml:3:1: service\.command.*{words}"),
        start_service(make_service("command", target), placement, watchdog=watchdog),
    ):
        pytest.fail("started")


def test_command__takes_another_port_when_its_own_was_taken(placement, watchdog, monkeypatch):
    messages = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(start_module, "find_free_port", lambda: next(ports))
        service = make_service("command", app_command())
        with start_service(service, placement, watchdog=watchdog, on_progress=messages.append) as running:
            assert running.alive()
            assert "another program took the service's port: trying the next" in messages
            assert "already in use" not in running.log_tail()
    assert "already in use" in placement.log_path.read_text()


def test_command__with_a_fixed_port_that_is_taken_says_so(placement, watchdog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        service = make_service("command", app_command().replace("{port}", str(taken.getsockname()[1])))
        with (
            pytest.raises(ServiceError, match="exit status 1") as caught,
            start_service(service, placement, watchdog=watchdog),
        ):
            pytest.fail("started")
    assert "Address already in use" in caught.value.log_tail


def test_command__all_that_it_forked_is_ended(placement, watchdog, tag):
    service = make_service("command", app_command("--fork", "3", "--detach"))
    with start_service(service, placement, watchdog=watchdog) as running:
        # The app, three children, and a grandchild in a session of its own.
        assert await_true(lambda: len(running.process_ids()) == 5)
        sessions = {os.getsid(pid) for pid in running.process_ids()}
        assert len(sessions) == 2
    assert pids_with(tag) == []


@pytest.mark.parametrize("leader", ["lives", "ended"])
def test_command__what_left_its_group_and_its_environment_is_ended(placement, watchdog, leader):
    name = unique()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", name]) as other:
        service = make_service("command", app_command("--hide", name))
        with start_service(service, placement, watchdog=watchdog) as running:
            assert await_true(lambda: pids_running(f"hidden-{name}") != [])
            assert set(pids_running(f"hidden-{name}")) < set(running.process_ids())
            if leader == "ended":
                running.runtime.send_signal(signal.SIGKILL)
                assert await_true(lambda: running.exit_status() == -9)
        assert pids_running(name) == [other.pid]
        other.kill()


def test_command__whose_leader_died_is_noticed_and_the_rest_ended(placement, watchdog, tag):
    service = make_service("command", app_command("--fork", "2"))
    with start_service(service, placement, watchdog=watchdog) as running:
        os.kill(running.runtime.pid, 9)
        assert await_true(lambda: not running.alive())
        assert running.ended() == "killed by SIGKILL (by the kernel, if memory ran out)"
        assert running.exit_status() == -9
        assert len(running.process_ids()) == 2
    assert pids_with(tag) == []


def test_command__that_ignores_sigterm_is_killed_after_the_grace(placement, watchdog, tag):
    service = make_service("command", app_command("--ignore-sigterm", "--fork", "1"))
    with start_service(service, placement, watchdog=watchdog, stop_grace_s=0.3) as running:
        started = time.monotonic()
    assert 0.3 <= time.monotonic() - started < start_module.STOP_GRACE_S
    assert running.exit_status() == -9
    assert pids_with(tag) == []


def test_command__that_is_stopped_ends_without_waiting_for_the_grace(placement, watchdog, tag):
    with start_service(make_service("command", app_command()), placement, watchdog=watchdog) as running:
        os.kill(running.runtime.pid, 19)
        started = time.monotonic()
    assert time.monotonic() - started < start_module.STOP_GRACE_S
    assert running.exit_status() == -15


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), SystemExit(143)])
def test_command__is_ended_whatever_is_raised_inside(placement, watchdog, tag, error):
    with (
        pytest.raises(type(error)),
        start_service(make_service("command", app_command()), placement, watchdog=watchdog),
    ):
        raise error
    assert pids_with(tag) == []


@pytest.mark.parametrize("answer", ["close", "nonsense", "silence"])
def test_command__that_never_answers_properly_is_not_ready(placement, watchdog, answer):
    service = make_service("command", app_command("--answer", answer), ready_timeout_s=0.5)
    with (
        pytest.raises(ServiceError, match=r"not ready after 0\.5 s"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("ready")


def test_command__with_a_variable_that_is_not_set_starts_nothing(placement, watchdog, tag):
    service = make_service("command", app_command(), env=(("KEY", "${NOT_SET_ANYWHERE}"),))
    with (
        pytest.raises(BadInputError, match="NOT_SET_ANYWHERE"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("started")
    assert pids_with(tag) == []


def test_command__whose_log_cannot_be_written(placement, watchdog):
    placement = dataclasses.replace(placement, log_path=Path("/proc/no/such.log"))
    with (
        pytest.raises(OutsideError, match="cannot write the service's log"),
        start_service(make_service("command", app_command()), placement, watchdog=watchdog),
    ):
        pytest.fail("started")


def test_log_tail__cuts_long_lines_and_shows_no_control_characters(placement, watchdog):
    service = make_service("command", app_command("--say", "\x1b[31mred " + "x" * 1000))
    with start_service(service, placement, watchdog=watchdog) as running:
        line = running.log_tail().splitlines()[0]
        assert line.startswith("\N{REPLACEMENT CHARACTER}[31mred xxx")
        assert len(line) == 500


def test_url__is_only_awaited(placement, watchdog):
    with start_service(make_service("command", app_command()), placement, watchdog=watchdog) as real:
        placement.environ["STAGING"] = f"{real.url}/"
        with start_service(make_service("url", "${STAGING}"), placement, watchdog=watchdog) as running:
            assert running.url == real.url
            assert running.alive()
            assert running.restarts() is None
            assert running.process_ids() == ()
        assert real.alive()


def test_url__that_does_not_answer(placement, watchdog):
    port = free_port()
    service = make_service("url", f"http://127.0.0.1:{port}", ready_timeout_s=0.3)
    with (
        pytest.raises(ServiceError, match=r"not ready after 0\.3 s: .*nothing listens there yet"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("ready")


def test_both_sides__run_at_once_apart_from_each_other(placement, watchdog):
    base = dataclasses.replace(
        placement,
        side="base",
        state_dir=placement.repository / "base",
        log_path=placement.repository / "base.log",
    )
    service = make_service("command", app_command("--say", "{side}"))
    with (
        start_service(service, base, watchdog=watchdog) as first,
        start_service(service, placement, watchdog=watchdog) as second,
    ):
        assert first.url != second.url
        assert first.log_tail().startswith("base")
        assert second.log_tail().startswith("head")


@pytest.mark.parametrize(
    "command", ["cd . && python serve.py {port}", f"{sys.executable} -c 1 fixtures/*.sql"]
)
def test_command__that_needs_a_shell_is_told_what_to_write(placement, watchdog, command):
    with (
        pytest.raises(ServiceError, match=r"there is no shell .*: write sh -c '"),
        start_service(make_service("command", command), placement, watchdog=watchdog),
    ):
        pass
