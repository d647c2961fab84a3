"""Whatever dies, fills up or lies: a clear outcome, no leftovers, and evidence that can still be read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_gate.errors import GateError
from ci_gate.judge.verdict import Verdict, decode_verdict, encode_verdict
from ci_gate.run.judging import judge_folder
from tests.disks import mounted_disk
from tests.leftovers import find_children, nothing_left
from tests.steady import await_steady


@contextmanager
def killing(out, name):
    """SIGKILL the first child whose command line has ``name``, once the steady phase has lasted a while."""

    def kill():
        await_steady(out / "visits" / "head", requests=50)
        for child in psutil.Process().children(recursive=True):
            if any(name in word for word in child.cmdline()):
                killed.append(child.pid)
                child.kill()
                return

    killed: list[int] = []
    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()
    assert killed


@pytest.mark.parametrize(
    ("victim", "code"),
    [("ci_gate.measure.in_locust", "locust-ended-early"), ("service.py", "service-ended")],
)
def test_weather__kill_9_in_the_middle(repository, call, tmp_path, victim, code):
    """The load of 80 s is not put on to its end: neither of the two comes back."""
    repository.edit("thresholds.yaml", "{duration: 2s, warmup: 0s}", "{duration: 80s, warmup: 0s}")
    out = tmp_path / "out"
    began_s = time.monotonic()
    with nothing_left(find_children), killing(out, victim):
        exit_code, table, _ = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    assert exit_code == 3, table
    assert f"[{code}]" in table
    assert ("the load was ended early" in table) == (code == "service-ended")
    assert time.monotonic() - began_s < 70
    assert decode_verdict((out / "verdict.json").read_bytes()).scenarios[0].endpoints[0].requests > 20


@pytest.mark.parametrize(
    ("path", "text"),
    [("/close", "✗ all failures"), ("/hang", "✗ all failures"), ("/status/503", "503 x")],
)
def test_weather__a_service_that_does_not_answer(repository, call, tmp_path, path, text):
    repository.edit("visits.py", '"/ok"', f'"{path}", name="/ok", timeout=0.2')
    code, table, _ = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", tmp_path / "out")
    assert code == 1, table
    assert text in table


def test_weather__bodies_of_100_megabytes(repository, call, tmp_path):
    repository.edit("visits.py", '"/ok"', '"/size/100000000", name="/ok"')
    repository.edit("thresholds.yaml", "Visitor: 5", "Visitor: 1")
    repository.edit("thresholds.yaml", "{p50: 500ms}", "{failures: 0%}")
    out = tmp_path / "out"
    code, table, err = call("run", "--quiet", "--thresholds", repository.thresholds, "--out", out)
    assert code in {0, 3}, table + err  # 3 where reading them blocks Locust for long, and that is found
    assert decode_verdict((out / "verdict.json").read_bytes()).scenarios[0].endpoints[0].failures == 0
    assert sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) < 2_000_000


@pytest.fixture
def small_disk(tmp_path):
    """The recorder reserves four megabytes."""
    with mounted_disk(tmp_path, "2m") as folder:
        yield folder


def test_weather__a_full_disk(repository, call, small_disk):
    with nothing_left(find_children):
        code, table, err = call(
            "run", "--quiet", "--thresholds", repository.thresholds, "--out", small_disk / "out"
        )
    assert code == 3, table + err
    assert "[locust-ended-early]" in table
    assert "Traceback" not in err
    assert "No space left" in err + (small_disk / "out" / "visits" / "head" / "locust.log").read_text()


@pytest.fixture(scope="module")
def good_evidence(tmp_path_factory):
    """Evidence of one real run."""
    from tests.conftest import Repository

    folder = tmp_path_factory.mktemp("weather")
    (folder / "repository").mkdir()
    repository = Repository(folder / "repository")
    command = [sys.executable, "-m", "ci_gate", "run", "--quiet", "--thresholds", repository.thresholds]
    subprocess.run([*command, "--out", folder / "out"], check=True, stdout=subprocess.DEVNULL, timeout=120)
    return folder / "out"


FILES = ("run.json", *(f"visits/head/{name}" for name in (
    "samples.bin", "strings.jsonl", "marks.jsonl", "readings.jsonl", "machine.jsonl", "totals.json",
)))  # fmt: skip
DAMAGE = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=40)),
    st.tuples(
        st.just("insert"),
        st.floats(0, 1),
        st.sampled_from([b"1e999", b"-1", b"null", b"1" * 400, b"[" * 999]),
    ),
    st.tuples(st.just("remove"), st.just(0.0), st.just(b"")),
)


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(name=st.sampled_from(FILES), damage=DAMAGE)
def test_weather__damaged_evidence_is_refused_or_judged_never_a_crash(good_evidence, tmp_path, name, damage):
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good_evidence, folder)
    kind, share, content = damage
    path = folder / name
    text = path.read_bytes()
    at = int(share * len(text))
    if kind == "remove":
        path.unlink()
    else:
        rest = {"cut": b"", "overwrite": text[at + len(content) :], "insert": text[at:]}[kind]
        path.write_bytes(text[:at] + content + rest)
    try:
        verdict, _ = judge_folder(folder, None)
    except GateError:
        return
    assert isinstance(verdict, Verdict)
    assert decode_verdict(encode_verdict(verdict)) == verdict


def test_weather__evidence_that_points_outside(good_evidence, tmp_path, call):
    folder = tmp_path / "hostile"
    shutil.copytree(good_evidence, folder)
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace('"scenario": "visits"', '"scenario": "../../etc"'))
    code, _, err = call("judge", folder)
    assert code == 2
    assert "outside its folder" in err
    (folder / "run.json").write_text(text)
    (folder / "visits").rename(tmp_path / "elsewhere")
    (folder / "visits").symlink_to(tmp_path / "elsewhere")
    assert call("judge", folder)[0] == 2
