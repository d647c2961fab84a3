from __future__ import annotations

import dataclasses
import re
import time

import pytest

from ci_gate.errors import OutsideError, ServiceError
from ci_gate.service.container import GuardedContainer
from ci_gate.service.reset import run_before_each
from ci_gate.service.start import STOP_GRACE_S, start_service
from tests.service.services import await_true, containers_of, make_service

pytestmark = pytest.mark.docker


def test_container__is_up_inside_and_gone_after(engine, app_image, placement, watchdog):
    image = app_image("--say", "hello")
    with start_service(make_service("image", image), placement, watchdog=watchdog) as running:
        assert running.alive()
        assert running.ended() is None
        assert running.restarts() == 0
        assert running.kind == "image"
        assert containers_of(engine, image) == [running.container_id]
        assert len(running.process_ids()) == 1
        assert await_true(lambda: "hello" in running.log_tail())
    assert containers_of(engine, image) == []
    assert "listening" in placement.log_path.read_text()


def test_container__is_limited_and_published_on_loopback_only(engine, app_image, placement, watchdog):
    service = make_service(
        "image", app_image(), cpus=0.5, memory_bytes=64 << 20, env=(("KEY", "{side}:{port}"),)
    )
    pinned = dataclasses.replace(placement, cpus=(0,))
    with start_service(service, pinned, watchdog=watchdog) as running:
        found = engine.api.inspect_container(running.container_id)
        host = found["HostConfig"]
        assert {binding["HostIp"] for binding in found["NetworkSettings"]["Ports"]["8000/tcp"]} == {
            "127.0.0.1"
        }
        assert (
            running.url == f"http://127.0.0.1:{found['NetworkSettings']['Ports']['8000/tcp'][0]['HostPort']}"
        )
        assert host["NanoCpus"] == 500_000_000
        assert host["CpusetCpus"] == "0"
        assert host["Memory"] == host["MemorySwap"] == 64 << 20
        assert host["Init"] is True
        assert host["AutoRemove"] is False
        assert "KEY=head:8000" in found["Config"]["Env"]
        # Of ci-gate's own environment nothing goes in but what thresholds.yaml names.
        assert not [text for text in found["Config"]["Env"] if text.startswith("HOME=")]


def test_container__that_dies_at_start_shows_its_log(engine, app_image, placement, watchdog):
    image = app_image("--say", "no such database", "--exit", "3")
    with (
        pytest.raises(ServiceError, match="ended before it was ready: exit status 3") as caught,
        start_service(make_service("image", image), placement, watchdog=watchdog),
    ):
        pytest.fail("yielded a dead service")
    assert caught.value.log_tail == "no such database"
    assert containers_of(engine, image) == []


def test_container__that_is_never_ready_is_removed(engine, app_image, placement, watchdog):
    image = app_image("--status", "503 Busy")
    service = make_service("image", image, ready_timeout_s=4.0)
    with (
        pytest.raises(ServiceError, match=r"not ready after 4 s: .* answered 503") as caught,
        start_service(service, placement, watchdog=watchdog, stop_grace_s=1),
    ):
        pytest.fail("ready")
    assert "sent all" in caught.value.log_tail
    assert containers_of(engine, image) == []


def test_container__that_listens_on_its_own_loopback_is_told_so(app_image, placement, watchdog):
    service = make_service("image", app_image("--host", "127.0.0.1"), ready_timeout_s=4.0)
    with (
        pytest.raises(ServiceError, match=r"it must listen on 0\.0\.0\.0, port 8000"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("ready")


def test_container__that_needs_more_memory_than_allowed_says_so(engine, app_image, placement, watchdog):
    image = app_image("--allocate-mib", "200")
    service = make_service("image", image, memory_bytes=40 << 20)
    with (
        pytest.raises(ServiceError, match="killed because it needed more than its memory limit of 40 MiB"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("ready")
    assert containers_of(engine, image) == []


def test_container__whose_memory_is_told_of_after_its_end(
    engine, app_image, placement, watchdog, monkeypatch
):
    """As of an engine that hears of the end first: some 3 in 100 do on a busy machine."""
    read = GuardedContainer._state
    monkeypatch.setattr(GuardedContainer, "_state", lambda self: read(self) | {"OOMKilled": False})
    service = make_service("image", app_image("--allocate-mib", "200"), memory_bytes=40 << 20)
    with (
        pytest.raises(ServiceError, match="killed because it needed more than its memory limit of 40 MiB"),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("ready")


def test_container__that_ends_under_load_is_noticed(engine, app_image, placement, watchdog):
    service = make_service("image", app_image(), memory_bytes=64 << 20)  # which it does not need
    with start_service(service, placement, watchdog=watchdog) as running:
        engine.api.kill(running.container_id)
        assert await_true(lambda: not running.alive())
        assert running.ended() == "killed by SIGKILL (by the kernel, if memory ran out)"
        assert running.exit_status() == 137


def test_container__that_something_else_restarts_or_removes_is_noticed(
    engine, app_image, placement, watchdog
):
    service = make_service("image", app_image())
    with start_service(service, placement, watchdog=watchdog) as running:
        engine.api.restart(running.container_id, timeout=0)
        assert running.restarts() == 1
        engine.api.remove_container(running.container_id, force=True)
        assert running.ended() == "its container was removed by something else"


def test_container__that_ignores_sigterm_is_killed_after_the_grace(engine, app_image, placement, watchdog):
    image = app_image("--ignore-sigterm")
    with start_service(make_service("image", image), placement, watchdog=watchdog, stop_grace_s=1):
        started = time.monotonic()
    assert time.monotonic() - started < STOP_GRACE_S
    assert containers_of(engine, image) == []


def test_container__last_words_are_in_the_log(app_image, placement, watchdog):
    image = app_image("--last-words-mib", "24")
    with start_service(make_service("image", image), placement, watchdog=watchdog):
        pass
    text = placement.log_path.read_bytes()
    assert text.endswith(b"the end\n")
    assert re.search(rb"\n\[ci-gate left out 1[67],[0-9]{3},[0-9]{3} bytes here\]\n", text)  # 24 MiB less 8
    assert text.count(b"\n") > 8 * 1024


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_container__is_removed_whatever_is_raised_inside(engine, app_image, placement, watchdog, error):
    image = app_image()
    with (
        pytest.raises(type(error)),
        start_service(make_service("image", image), placement, watchdog=watchdog),
    ):
        raise error
    assert containers_of(engine, image) == []


def test_container__whose_program_does_not_exist(engine, app_image, placement, watchdog):
    tag = app_image()
    image = engine.images.get(tag)
    container = engine.containers.create(image, command=["/no/such/program"])
    try:
        container.commit("ci-gate-test-app", tag.partition(":")[2], conf={"Cmd": ["/no/such/program"]})
    finally:
        container.remove()
    with (
        pytest.raises(ServiceError, match=r"no.such.program"),
        start_service(make_service("image", tag), placement, watchdog=watchdog),
    ):
        pytest.fail("started")
    assert containers_of(engine, tag) == []


def test_image__that_is_nowhere_says_so(engine, placement, watchdog):
    service = make_service("image", "127.0.0.1:1/no/such:image")
    with (
        pytest.raises(
            OutsideError, match=r"pull the image 127.0.0.1:1/no/such:image, which is not on this machine"
        ),
        start_service(service, placement, watchdog=watchdog),
    ):
        pytest.fail("started")


def test_image__may_be_named_by_a_variable(app_image, placement, watchdog):
    placement.environ["HEAD_IMAGE"] = app_image()
    with start_service(make_service("image", "${HEAD_IMAGE}"), placement, watchdog=watchdog) as running:
        assert running.alive()


def test_engine__that_does_not_answer_says_what_to_do(placement, watchdog):
    placement.environ["DOCKER_HOST"] = "unix:///no/such/docker.sock"
    with (
        pytest.raises(OutsideError, match="start Docker, point DOCKER_HOST at an engine, or use") as caught,
        start_service(make_service("image", "any"), placement, watchdog=watchdog),
    ):
        pytest.fail("started")
    assert "/no/such/docker.sock: No such file or directory" in str(caught.value)


def test_before_each__runs_inside_the_container(app_image, placement, watchdog):
    code = "import os; print(os.environ['CI_GATE_URL'], os.path.exists('/app.py'), os.environ['OWN'])"
    service = make_service(
        "image", app_image(), before_each=f'python3 -c "{code}"', env=(("OWN", "{state}"),)
    )
    with start_service(service, placement, watchdog=watchdog) as running:
        run_before_each(running, watchdog=watchdog)
    printed = (placement.log_path.parent / "head.before_each.log").read_text()
    assert printed == "http://127.0.0.1:8000 True /tmp\n"


@pytest.mark.parametrize(
    ("command", "timeout_s", "words"),
    [
        ("python3 -c 'import sys; sys.exit(\"no table\")'", 20, "failed: exit status 1: (.|\n)*no table"),
        ("no-such-reset", 20, "no-such-reset"),
        ("sleep 30", 0.5, r"did not end within 0\.5 s"),
    ],
)
def test_before_each__that_fails_inside_the_container(
    app_image, placement, watchdog, command, timeout_s, words
):
    service = make_service("image", app_image(), before_each=command, before_each_timeout_s=timeout_s)
    with (
        start_service(service, placement, watchdog=watchdog, stop_grace_s=1) as running,
        pytest.raises(ServiceError, match=words),
    ):
        run_before_each(running, watchdog=watchdog)
