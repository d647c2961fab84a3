"""`ci-gate run --workers` and `ci-gate worker`: what is refused before anything runs."""

from __future__ import annotations

import os

import pytest

from ci_gate.addresses import WORKER_SECRET
from tests.measure.remote.test_secret import SECRET, master
from tests.servers import free_port

__all__ = ["master"]  # a fixture for these tests too
URL = ("command: python service.py {port}", 'url: "http://10.0.0.1:9"')


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv(WORKER_SECRET, SECRET)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--base", "HEAD"], "there is nothing to compare with HEAD"),
        (["--processes", "2"], "--workers and --processes say the same twice"),
        (["--bind", "10.0.0.1:5557"], "give its address there as service.url"),
        (["--bind", "10.0.0.1"], "allowed: ADDRESS:PORT"),
        (["--bind", "localhost:5557"], "allowed: an IP address of this machine"),
        (["--secret-file", "nowhere"], "No such file"),
        (["--workers", "6"], "'processes' cannot be 6: 'visits' has 5 users"),
        (["--workers", "0"], "0 is not in the range"),
    ],
)
def test_run__refuses(repository, call, options, says):
    code, _, message = call("run", "--thresholds", repository.thresholds, "--workers", "2", *options)
    assert code == 2
    assert says in message


def test_run__refuses_to_compare_by_a_problem(repository, call):
    repository.edit("thresholds.yaml", "limits:", "regression: {p50: 10%}\n    limits:")
    options = ("--workers", "2", "--base", "HEAD")
    code, _, message = call("run", "--thresholds", repository.thresholds, *options)
    assert code == 2
    assert "thresholds.yaml:9:3: 'visits' cannot be compared with base by workers on other" in message


@pytest.mark.parametrize("command", [("run", "--workers", "6"), ("run", "--profile", "none"), ("check",)])
def test_command__takes_the_secret_out_of_the_environment(repository, call, command):
    """Whatever comes of it, and whether it is of use there: no service and no locustfile is to inherit it."""
    call(*command, "--thresholds", repository.thresholds)
    assert WORKER_SECRET not in os.environ


def test_run__without_a_secret(repository, call, monkeypatch):
    monkeypatch.delenv(WORKER_SECRET)
    code, _, message = call("run", "--thresholds", repository.thresholds, "--workers", "2")
    assert code == 2
    assert (
        "the secret of the workers is missing: put 16 characters or more into CI_GATE_WORKER_SECRET"
        in message
    )


def test_worker__without_a_master(repository, call, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    code, _, message = call(
        "worker",
        "--master",
        address,
        "--folder",
        repository.folder,
        "--wait",
        "1s",
        "--out",
        tmp_path / "kept",
    )
    assert code == 4
    assert f"no master at {address} for 1 s" in message


@pytest.mark.parametrize(("option", "text"), [("--master", "nowhere"), ("--wait", "long")])
def test_worker__refuses(repository, call, option, text):
    options = {"--master": "127.0.0.1:1", "--folder": repository.folder} | {option: text}
    code, _, message = call("worker", *(word for each in options.items() for word in each))
    assert code == 2
    assert "allowed:" in message


def test_worker__whose_locustfile_is_another_says_so_on_both_sides(repository, call, master, tmp_path):
    """The master's has another digest."""
    code, _, message = call(
        *("worker", "--master", f"127.0.0.1:{master.port}", "--folder", repository.folder),
        *("--name", "host-b", "--out", tmp_path / "kept"),
    )
    assert code == 2
    assert "is not what the master has: visits.py is another than the master's" in message
    master.await_log("Worker 1 on host-b cannot take part")
    assert not (tmp_path / "kept").exists()


def test_worker__with_another_secret(repository, call, master, monkeypatch, tmp_path):
    monkeypatch.setenv(WORKER_SECRET, f"not {SECRET}")
    monkeypatch.setattr("ci_gate.measure.remote.connection.MAX_REFUSED_S", 0.5)
    code, _, message = call(
        *("worker", "--master", f"127.0.0.1:{master.port}", "--folder", repository.folder),
        *("--out", tmp_path / "kept"),
    )
    assert code == 4
    assert "refuses this worker, or does not prove the secret itself" in message
