"""py-spy beside a process: what it shows of it, and what is told where it shows nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from ci_gate.errors import OutsideError
from ci_gate.evidence.stacks import STACKS_CPU, STACKS_WALL, Frame, decode_stacks, read_stacks
from ci_gate.judge.code.attribution import count_samples
from ci_gate.measure.perf_sampling import PerfSampling, convert_script
from ci_gate.measure.rights import become_root
from ci_gate.measure.samplers import begin_sampling
from ci_gate.measure.stack_sampling import StackSampling
from tests.images import connect_engine, python_image
from tests.servers import free_port

BUSY = """
import pathlib, threading, time

def wait(lock):
    with lock:
        pass

def burn():
    print("busy", flush=True)
    pathlib.Path("is-busy").touch()
    ends_s = time.monotonic() + 60
    while time.monotonic() < ends_s:
        sum(range(1000))

lock = threading.Lock()
lock.acquire()
threading.Thread(target=wait, args=(lock,), daemon=True).start()
burn()
"""


@contextlib.contextmanager
def running(*words, folder):
    """A service that is only looked into; it has a process above it, as one that a shell starts."""
    process = subprocess.Popen(words, cwd=folder)
    try:
        yield SimpleNamespace(
            process_ids=lambda: (process.pid,),
            is_container=False,
            placement=SimpleNamespace(repository=folder),
        )
    finally:
        process.kill()
        process.wait()


def sample(service, folder):
    """What is in the folder after it."""
    temporary = folder / "temporary"
    temporary.mkdir()
    sampling = begin_sampling(service, folder, temporary, 2)
    with contextlib.closing(sampling):
        while not sampling.is_over():
            time.sleep(0.1)
        sampling.keep()
    return read_stacks(folder)


def test_stacks__of_a_process_and_those_below_it_are_written(tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    with running("sh", "-c", f"{sys.executable} busy.py; true", folder=tmp_path) as service:
        wait_for((tmp_path / "is-busy").exists)
        stacks = sample(service, tmp_path)
    on_cpu, wall = (count_samples(stacks[name]) for name in (STACKS_CPU, STACKS_WALL))
    own = {each: count for each, count in zip(on_cpu.functions, on_cpu.own.sum(axis=0), strict=True) if count}
    assert [(each.name, each.file) for each in own] == [("burn", "busy.py")]
    (waiting,) = (place for place, each in enumerate(wall.functions) if each.name == "wait")
    assert wall.own[:, waiting].sum() >= 0.9 * wall.ticks


SCRIPT = """\
  7/8 49736.398854:
\t    7f4e05fc6c99 JS:*get score file:///app/risk.js:3:19 (/tmp/perf-7.map)
\t    7f4e05fc7549 JS:^ /app/risk.js:4:14 (/tmp/perf-7.map)
\t         14ce0dc std::map<int (*)(long), int>::find(int (*)(long) const&) (/app/shop (deleted))
\t    7f4e05fc0000 [unknown] ([unknown])

7/9 49736.410998:
\tffffffff81000000 do_syscall_64 ([kernel.kallsyms])
"""


def test_script__of_perf_becomes_stacks_of_each_thread():
    stacks = decode_stacks(msgspec.json.encode(convert_script(SCRIPT)))
    named = [[[stacks.frames[each] for each in stack] for stack in thread] for thread in stacks.threads]
    find = "std::map<int (*)(long), int>::find(int (*)(long) const&)"
    assert named == [
        [
            [
                Frame(name=find, file="/app/shop", line=0),
                Frame(name="(anonymous)", file="/app/risk.js", line=4),
                Frame(name="get score", file="/app/risk.js", line=3),
            ]
        ],
        [[Frame(name="do_syscall_64", file="[kernel.kallsyms]", line=0)]],
    ]


def test_script__of_anything_else_has_no_stacks():
    for text in ("", "no samples\n", "\tffff f (x)\n", "7/8 1.0: \n\tffff [unknown] ([unknown])\n"):
        assert not any(map(any, decode_stacks(msgspec.json.encode(convert_script(text))).threads))


@pytest.fixture
def perf():
    """Where the kernel lets perf sample, and perf is of this kernel."""
    command = ["perf", "record", "--quiet", "-e", "cpu-clock", "-o", "/dev/null", "true"]
    with contextlib.suppress(OSError):
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return
    pytest.skip("perf is not installed, or may not sample here")


JAVASCRIPT = """
function riskScore(size) { let s = 0; for (let i = 0; i < size; i++) s = (s * 31 + i) % 1009; return s }
function answer() { return riskScore(100000) }
let loops = 0
setInterval(function loop() {
    for (const end = Date.now() + 50; Date.now() < end; ) answer()
    if (++loops === 20) require("fs").writeFileSync("is-busy", "")
}, 60)
"""
C = """
__attribute__((noinline)) long risk_score(long size)
{ long s = 0; for (long i = 0; i < size; i++) s = (s * 31 + i) % 1009; return s; }
int main(void) { volatile long s = 0; for (;;) s += risk_score(100000 + s % 2); }
"""


TOOLS = {
    "node": ("node", ("node", "--perf-basic-prof", "--no-turbo-inlining", "busy.js")),
    "c": ("cc", ("./busy",)),
}


@pytest.mark.parametrize("language", TOOLS)
def test_service__that_is_no_python_is_sampled_by_perf(tmp_path, perf, language):
    tool, words = TOOLS[language]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    (tmp_path / "busy.js").write_text(JAVASCRIPT)
    (tmp_path / "busy.c").write_text(C)
    if tool == "cc":
        build = ["cc", "-O1", "-fno-omit-frame-pointer", "-o", "busy", "busy.c"]
        subprocess.run(build, check=True, cwd=tmp_path)
    with running(*words, folder=tmp_path) as service:
        if language == "node":  # until what it computes is compiled, it is in the interpreter
            wait_for((tmp_path / "is-busy").exists)
        stacks = sample(service, tmp_path)
    samples = count_samples(stacks[STACKS_CPU])
    most = samples.functions[int(samples.own.sum(axis=0).argmax())]
    expected = {"node": ("riskScore", "busy.js", 2), "c": ("risk_score", "busy", 0)}
    assert (most.name, most.file, samples.lines[most]) == expected[language]
    assert STACKS_WALL not in stacks


def test_service__that_is_no_python_where_there_is_no_perf_is_told(tmp_path, monkeypatch):
    with running("sleep", "60", folder=tmp_path) as service:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(OutsideError, match="no Python, and perf, which samples others, is not installed"):
            sample(service, tmp_path)


FAKE_PERF = """#!/bin/sh
[ "$1" = record ] || exec {}
"""


@pytest.mark.parametrize(
    ("script", "says"), [("sleep 30", "perf took more than 1 s"), ("yes", "perf wrote more than 1000 bytes")]
)
def test_perf__that_runs_as_root_and_may_not_be_ended_has_bounds(tmp_path, monkeypatch, script, says):
    """What sudo started is not ours to kill."""

    def kill(_process):
        raise PermissionError

    (tmp_path / "perf").write_text(FAKE_PERF.format(script))
    (tmp_path / "perf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("ci_gate.measure.perf_sampling._READING_S", 1.0)
    monkeypatch.setattr("ci_gate.measure.perf_sampling._MAX_SCRIPT_BYTES", 1000)
    monkeypatch.setattr(subprocess.Popen, "kill", kill)
    service = SimpleNamespace(is_container=False, placement=SimpleNamespace(repository=tmp_path))
    began_s = time.monotonic()
    sampling = PerfSampling(service, (os.getpid(),), tmp_path, tmp_path, 1)
    with contextlib.closing(sampling):
        wait_for(sampling.is_over)
        with pytest.raises(OutsideError, match=says):
            sampling.keep()
    assert time.monotonic() - began_s < 20


def test_service__that_is_on_no_cpu_is_told(tmp_path, perf):
    with (
        running("sleep", "60", folder=tmp_path) as service,
        pytest.raises(OutsideError, match="perf saw no process of the service on a CPU"),
    ):
        sample(service, tmp_path)


def test_service__whose_processes_are_not_known_is_told(tmp_path):
    service = SimpleNamespace(process_ids=lambda: (), is_container=False, placement=None)
    with pytest.raises(OutsideError, match="processes of the service are not known"):
        begin_sampling(service, tmp_path, tmp_path, 2)


APP = """
import os

def risk_score():
    return sum(number * number % 7 for number in range(20_000))

def app(environ, start_response):
    risk_score()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def call_for(url, seconds):
    """Requests one after the other, each by a connection of its own: any worker may take it."""
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        urllib.request.urlopen(url, timeout=10).close()


def wait_for(is_true):
    for _ in range(300):
        with contextlib.suppress(OSError):
            if is_true():
                return
        time.sleep(0.1)
    raise AssertionError("waited for 30 s")


def read(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read()


def test_workers__of_a_pre_fork_server_are_sampled(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    bind = f"127.0.0.1:{free_port()}"
    words = ("-m", "gunicorn", "--workers", "2", "--worker-class", "sync", "--bind", bind, "app:app")
    with running(sys.executable, *words, folder=tmp_path) as service:
        workers: set[bytes] = set()
        wait_for(lambda: workers.add(read(f"http://{bind}/")) or len(workers) == 2)
        clients = [threading.Thread(target=call_for, args=(f"http://{bind}/", 6)) for _ in range(4)]
        for client in clients:
            client.start()
        stacks = sample(service, tmp_path)
        for client in clients:
            client.join()
    on_cpu = stacks[STACKS_CPU]
    at_work = [
        thread
        for thread in on_cpu.threads
        if any(on_cpu.frames[frame].name == "risk_score" for stack in thread for frame in stack)
    ]
    assert len(at_work) == 2  # of two processes
    assert {frame.file for frame in on_cpu.frames if frame.name == "risk_score"} == {"app.py"}


def test_process__that_may_not_be_looked_into_is_told(tmp_path):
    """By another user, who is not root, the kernel refuses."""
    if os.geteuid() != 0:
        pytest.skip("takes root, to be somebody else")
    with running("sleep", "60", folder=tmp_path) as service:
        os.seteuid(65534)
        try:
            with pytest.raises(
                OutsideError, match=r"is not allowed to look into the service \(it takes root"
            ):
                StackSampling("py-spy", service, *service.process_ids(), tmp_path, tmp_path, 2)
        finally:
            os.seteuid(0)


def test_container__takes_root(tmp_path, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    service = SimpleNamespace(process_ids=lambda: (os.getpid(),), is_container=True, placement=None)
    with pytest.raises(OutsideError, match=r"takes root here, or sudo without a password \(a container\)"):
        StackSampling("py-spy", service, os.getpid(), tmp_path, tmp_path, 1)


def test_sudo__that_says_nothing_is_not_awaited_for_ever(tmp_path, monkeypatch):
    (tmp_path / "sudo").write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 30\n")
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("ci_gate.measure.rights._SUDO_S", 0.2)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError, match="takes root here"):
        become_root("a container")


def find_busy(stacks):
    """What is on a CPU, and nothing else."""
    on_cpu = count_samples(stacks[STACKS_CPU])
    return [each.name for each, own in zip(on_cpu.functions, on_cpu.own.sum(axis=0), strict=True) if own]


def test_threads__of_a_namespace_that_wait_are_on_no_cpu(tmp_path):
    """As in a container, threads have other numbers: all of them seemed to be on a CPU."""
    words = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespace of processes can be made here")
    (tmp_path / "busy.py").write_text(BUSY)
    with running(*words, sys.executable, "busy.py", folder=tmp_path) as service:
        (above,) = service.process_ids()
        wait_for((tmp_path / "is-busy").exists)
        service.process_ids = lambda: tuple(child.pid for child in psutil.Process(above).children())
        stacks = sample(service, tmp_path)
    assert find_busy(stacks) == ["burn"]


@pytest.mark.docker
def test_container__is_sampled_by_its_process_on_the_host(tmp_path):
    with connect_engine() as client:
        command = ["python3", "-c", BUSY]
        container = client.containers.run(python_image(), command, detach=True)
        try:
            container.reload()
            pid = container.attrs["State"]["Pid"]
            service = SimpleNamespace(process_ids=lambda: (pid,), is_container=True, placement=None)
            wait_for(container.logs)
            stacks = sample(service, tmp_path)
        finally:
            container.remove(force=True)
    assert find_busy(stacks) == ["burn"]
