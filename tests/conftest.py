from __future__ import annotations

import gc
import os
import signal
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from ci_gate.cli.main import run_cli
from ci_gate.measure.foreign import ForeignMeter
from tests.servers import running_postgres, running_redis

# The default run says the same each time: fixed examples, and nothing that a busy machine could fail. The
# random run is a job of its own, of property tests alone: each as often as this, by a new seed each time.
LONG = pytest.mark.skipif(os.environ.get("CI_GATE_LONG") != "1", reason="takes minutes: set CI_GATE_LONG=1")
FUZZ_ROUNDS = 20 * (os.environ.get("CI_GATE_FUZZ") == "1")
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", settings.get_profile("fixed"), derandomize=False, max_examples=1000)
settings.load_profile("fuzz" if FUZZ_ROUNDS else "fixed")


def pytest_generate_tests(metafunc):
    if FUZZ_ROUNDS and is_hypothesis_test(metafunc.function):
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(FUZZ_ROUNDS))


# What waits for services and Locusts comes first; what computes fills the cores while the last of those wait.
WAITING_FOLDERS = ("run", "measure", "service", "reference", "claims", "cli")


def find_turn(item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return WAITING_FOLDERS.index(folder) if folder in WAITING_FOLDERS else len(WAITING_FOLDERS)


def pytest_collection_modifyitems(config, items):
    items.sort(key=find_turn)
    if FUZZ_ROUNDS:
        others = [item for item in items if not is_hypothesis_test(getattr(item, "function", None))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


SITE = Path(__file__).with_name("site.py")

SERVICE = f"""
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("site_for_tests", {str(SITE)!r})
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)
with site.Server(("127.0.0.1", int(sys.argv[1])), site.Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""

LOCUSTFILE = """
from locust import FastHttpUser, constant, task

class Visitor(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ok")
"""

THRESHOLDS = """
schema: 1
service:
  command: python service.py {port}
  ready: /
profiles:
  pull_request: {duration: 2s, warmup: 0s}
  long: {duration: 60s, warmup: 0s}
scenarios:
  visits:
    locustfile: visits.py
    users: {Visitor: 5}
    spawn_rate: 100
    limits:
      GET /ok: {p50: 500ms}
    relax: {generator-late: the machine has other tests to run}
"""


class Repository:
    """A repository of a small web service that the gate can run on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("service.py", SERVICE)
        self.write("visits.py", LOCUSTFILE)
        self.write("thresholds.yaml", THRESHOLDS)

    @property
    def thresholds(self) -> Path:
        return self.folder / "thresholds.yaml"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text).lstrip("\n"))

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture(autouse=True)
def _nobody_else(request, monkeypatch):
    """What else runs on this machine decides no test, but those about it (marked ``others``)."""
    if "others" not in request.keywords:
        monkeypatch.setattr(ForeignMeter, "read", lambda _self, _roots: None)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


@pytest.fixture
def call(capfd):
    """Runs ci-gate in process; returns exit code, standard output and standard error."""

    def run(*arguments):
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                run_cli([str(argument) for argument in arguments])
        finally:
            signal.signal(signal.SIGTERM, handler)
            gc.unfreeze()  # this process does not end with the command
        out, err = capfd.readouterr()
        return ended.value.code, out, err

    return run


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url
