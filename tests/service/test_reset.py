from __future__ import annotations

import sys
import time

import pytest

from ci_gate.errors import ServiceError
from ci_gate.service.reset import run_before_each
from ci_gate.service.start import start_service
from tests.service.services import app_command, make_service, pids_with, unique


def run(placement, watchdog, before_each, *, env=(), timeout_s=20.0):
    service = make_service(
        "command", app_command(), before_each=before_each, before_each_timeout_s=timeout_s, env=env
    )
    with start_service(service, placement, watchdog=watchdog) as running:
        run_before_each(running, watchdog=watchdog)
        return running


def test_before_each__none_does_nothing(placement, watchdog):
    run(placement, watchdog, None)
    assert [path.name for path in placement.log_path.parent.iterdir()] == ["head.log"]


def test_before_each__knows_the_service(placement, watchdog):
    names = "'CI_GATE_URL', 'CI_GATE_PORT', 'CI_GATE_STATE', 'CI_GATE_SIDE', 'OWN'"
    code = f"import os; print(*(os.environ[name] for name in ({names})))"
    running = run(placement, watchdog, f'{sys.executable} -c "{code}"', env=(("OWN", "{side}-value"),))
    printed = (placement.log_path.parent / "head.before_each.log").read_text()
    port = running.url.rpartition(":")[2]
    assert printed == f"{running.url} {port} {placement.state_dir} head head-value\n"


def test_before_each__that_fails_shows_what_it_printed(placement, watchdog):
    code = "import sys; print('no such table'); sys.exit(4)"
    with pytest.raises(ServiceError, match="before_each failed: exit status 4") as caught:
        run(placement, watchdog, f'{sys.executable} -c "{code}"')
    assert caught.value.log_tail == "no such table"


def test_before_each__that_takes_too_long_is_ended(placement, watchdog):
    placement.environ["TEST_TAG"] = tag = unique()
    started = time.monotonic()
    with pytest.raises(ServiceError, match=r"before_each did not end within 0\.3 s: sleep 50"):
        run(placement, watchdog, "sleep 50", timeout_s=0.3)
    assert time.monotonic() - started < 40
    assert pids_with(tag) == []


def test_before_each__that_does_not_exist(placement, watchdog):
    with pytest.raises(ServiceError, match="cannot start `no-such-reset`"):
        run(placement, watchdog, "no-such-reset")


@pytest.mark.parametrize("before_each", ["cd shop && ./reset", "false $(whoami)"])
def test_before_each__that_needs_a_shell_is_told_what_to_write(placement, watchdog, before_each):
    with pytest.raises(ServiceError, match=r"there is no shell .*: write sh -c '"):
        run(placement, watchdog, before_each)


def test_before_each__that_fails_names_its_own_log(placement, watchdog):
    code = "import sys; print('no such table'); sys.exit(4)"
    with pytest.raises(ServiceError, match=r"last lines of head\.before_each\.log ---\nno such table"):
        run(placement, watchdog, f'{sys.executable} -c "{code}"')
