"""Where the processes of Locust run: apart from the service where there are CPUs for it."""

from __future__ import annotations

import os

import pytest

from ci_gate.evidence.recording import read_run
from ci_gate.run import pinning
from ci_gate.run.pinning import NO_PINNING, Pinning, choose_pinning, pinned_to, read_cores


def of_one(count):
    """Cores of one CPU each."""
    return tuple((cpu,) for cpu in range(count))


def of_two(count):
    """Cores of two CPUs each, numbered as most machines do it: the second ones after all first ones."""
    return tuple((core, core + count) for core in range(count))


@pytest.mark.parametrize(
    ("cores", "processes", "generator", "others"),
    [
        (of_one(4), 2, (2, 3), (0, 1)),
        (of_one(8), 2, (6, 7), (0, 1, 2, 3, 4, 5)),
        (of_one(8), 4, (4, 5, 6, 7), (0, 1, 2, 3)),
        (of_two(4), 2, (3, 7), (0, 1, 2, 4, 5, 6)),
        (of_two(4), 3, (2, 3, 6), (0, 1, 4, 5)),
        (of_two(2), 2, (1, 3), (0, 2)),
        (((0, 1), (5, 7)), 2, (5, 7), (0, 1)),
    ],
)
def test_pinned__to_whole_cores_of_its_own(cores, processes, generator, others):
    assert choose_pinning(cores, processes) == Pinning(generator=generator, others=others)


@pytest.mark.parametrize(
    ("cores", "processes"),
    [
        (of_one(64), 1),
        (of_one(2), 2),
        (of_one(3), 2),
        (of_two(1), 2),
        (of_two(4), 5),
        (of_one(8), 64),
        ((), 2),
    ],
)
def test_pinned__nothing_for_one_process_nor_where_the_service_would_have_fewer_cpus(cores, processes):
    assert choose_pinning(cores, processes) == NO_PINNING


def test_cores__are_ours_by_what_the_kernel_says_shares_one(tmp_path):
    ours = sorted(os.sched_getaffinity(0))
    assert read_cores(tmp_path) == tuple((cpu,) for cpu in ours)
    for cpu in ours:
        (tmp_path / f"cpu{cpu}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text("0-127\n")
    assert read_cores(tmp_path) == (tuple(ours),)


def test_pinned_to__is_undone():
    before = os.sched_getaffinity(0)
    with pinned_to((min(before),)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    with pinned_to(()):
        assert os.sched_getaffinity(0) == before


SHOW = """
from locust import events

@events.test_start.add_listener
def show(environment, **_):
    print(type(environment.runner).__name__, "runs on", sorted(os.sched_getaffinity(0)), flush=True)
"""


def test_run__the_service_and_each_process_run_where_they_are_to(repository, call, tmp_path, monkeypatch):
    """On a machine of two CPUs, which would pin nothing by itself."""
    first, *_, last = sorted(os.sched_getaffinity(0))
    pinned = Pinning(generator=(last, last), others=(first,))
    monkeypatch.setattr(pinning, "choose_pinning", lambda _cores, _processes: pinned)
    for name, text in (
        ("service.py", "print(sorted(os.sched_getaffinity(0)), flush=True)"),
        ("visits.py", SHOW),
    ):
        written = (repository.folder / name).read_text()
        before, behind = (f"{text}\n{written}", "") if name == "service.py" else (written, text)
        repository.write(name, f"import os\n{before}{behind}")
    out = tmp_path / "out"
    code, table, progress = call(
        "run", "--thresholds", repository.thresholds, "--out", out, "--processes", "2"
    )
    assert code == 0, table + progress
    head = out / "visits" / "head"
    assert (head / "service.log").read_text().startswith(f"[{first}]")
    shown = [line for line in (head / "locust.log").read_text().splitlines() if "runs on" in line]
    assert sorted(shown) == [f"MasterRunner runs on [{first}]", *[f"WorkerRunner runs on [{last}]"] * 2]
    (plan,) = [plan for plan in read_run(out).recordings if plan.recording == "head"]
    assert (plan.worker_cpus, plan.other_cpus) == ((last, last), (first,))
