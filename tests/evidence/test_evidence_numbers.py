"""Whatever number stands in evidence, it is refused, or judged and shown; never a traceback."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

import ci_gate.evidence
from ci_gate.errors import GateError
from ci_gate.evidence.readings import ProbeReading, StatementReading, StatementTotal, StrictValue
from ci_gate.evidence.recording import (
    CONFIRM,
    DUET_BASE,
    DUET_HEAD,
    RESET_CHECKS,
    LineWriter,
    read_recording,
    read_run,
    recording_folder,
    write_json,
)
from ci_gate.evidence.sample_table import SAMPLE_DTYPE
from ci_gate.evidence.samples import MAGIC, SampleWriter
from ci_gate.judge import steady
from ci_gate.judge.steady import find_successes
from ci_gate.judge.timeline.run_timeline import decode_timeline, encode_timeline
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from ci_gate.measure.live import RecordingTail
from ci_gate.report.csv import export_rows
from ci_gate.report.files import write_reports
from ci_gate.report.terminal import render_terminal
from ci_gate.run.judging import judge_capacity_folder, judge_folder
from ci_gate.run.progress import describe
from tests.judge.capacity_steps import KNEE, draw_steps
from tests.judge.evidence_notation import draw
from tests.judge.evidence_values import make_run

REQUESTS = """
10 ShopUser
steady 40 s
1600 GET /items 200 5-50ms
90 POST /orders 201 5-50ms
limit all p95 200ms
limit GET /items rate 20/s
offers 50/s
least ShopUser 45/s
"""
TROUBLE = """
9 POST /orders 503 2ms
2 GET /items 0 900ms never
start failure ShopUser 3 Error()
task error ShopUser 9 Error()
"""
PROBED = {
    "postgres": {
        "connections_active": 9,
        "on_cpu": 1,
        "waiting_lock": 7,
        "max_connections": 100,
        "commits": 5,
    },
    "redis": {"commands": 5, "blocked_clients": 1, "cpu_s": 3, "memory_bytes": 9},
    "service": {"pool_size": 5, "pool_in_use": 5, "pool_waiting": 3, "workers": 2, "workers_busy": 2},
}


def write_recording(folder, recording):
    """The files of one recording, as the recorder and the meters write them."""
    folder.mkdir(parents=True)
    writer = SampleWriter(folder)
    for text in recording.strings:
        writer.string_id(text)
    for sample in recording.samples:
        writer.write(*sample.item())
    writer.close()
    for name in ("marks", "readings", "machine", "probes", "statements"):
        with LineWriter(folder / f"{name}.jsonl") as lines:
            for each in getattr(recording, name):
                lines.write(each)
    write_json(folder / "totals.json", recording.totals)


def add_readings(recording):
    """Every value that can be read has one."""
    machine = tuple(
        msgspec.structs.replace(
            each,
            service_busiest_percent=50.0,
            service_throttled_s=0.1,
            service_cpus=2.0,
            service_waited_s=0.1,
        )
        for each in recording.machine
    )
    probes = tuple(
        ProbeReading(wall_s=each.wall_s, probe=name, took_ms=1.0, values=values)
        for each in recording.machine
        for name, values in PROBED.items()
    )
    at_s = [recording.machine[0].wall_s, recording.machine[-1].wall_s]
    statements = tuple(
        StatementReading(
            wall_s=wall_s, statements=(StatementTotal(query="SELECT 1", calls=9 * n, total_ms=90.0 * n),)
        )
        for n, wall_s in enumerate(at_s)
    )
    return msgspec.structs.replace(recording, machine=machine, probes=probes, statements=statements)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """A folder of a run with everything in it: head alone, two trials, and a red that is confirmed."""
    drawn = draw(REQUESTS)
    text = drawn.thresholds.text.replace("limits:", "regression: {p50: 5%, rate: 5%}\n    limits:", 1)
    folder = tmp_path_factory.mktemp("evidence")
    names = ("head", *RESET_CHECKS, DUET_BASE, DUET_HEAD, *CONFIRM)
    plans = tuple(msgspec.structs.replace(drawn.plan, recording=name) for name in names)
    write_json(folder / "run.json", make_run(drawn.thresholds, thresholds_text=text, recordings=plans))
    troubled = draw(REQUESTS + TROUBLE).recording
    for plan in plans:
        recording = drawn.recording if plan.recording in {DUET_BASE, DUET_HEAD, *CONFIRM} else troubled
        if plan.recording in {DUET_HEAD, CONFIRM[1]}:
            recording = msgspec.structs.replace(recording, samples=recording.samples.copy())
            recording.samples["response_ms"] *= 2
        write_recording(recording_folder(folder, plan), add_readings(recording))
    assert judge_folder(folder, None)[0].scenarios[0].comparison.is_confirmed
    return folder


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """A folder of `ci-gate capacity`."""
    _, run, recordings = draw_steps(KNEE)
    folder = tmp_path_factory.mktemp("steps")
    write_json(folder / "run.json", run)
    for plan in run.recordings:
        write_recording(recording_folder(folder, plan), recordings[plan.scenario, plan.recording])
    assert judge_capacity_folder(folder, None).exit_code == 0
    return folder


def test_judging__classifies_each_recording_once(evidence, steps, monkeypatch):
    """However many limits, rules, comparisons, diagnoses and charts are made of it."""
    judged = []

    def count(samples, strings, accept):
        judged.append(len(samples))
        return find_successes(samples, strings, accept)

    monkeypatch.setattr(steady, "find_successes", count)
    judge_folder(evidence, None)
    assert len(judged) == len(read_run(evidence).recordings) == 7
    judge_capacity_folder(steps, None)
    assert len(judged) == 7 + len(read_run(steps).recordings)


def judge_and_show(folder):
    """All that is made of the evidence of a run. Raises GateError where it is refused."""
    verdict, timeline = judge_folder(folder, None)
    assert decode_verdict(encode_verdict(verdict)) == verdict
    assert decode_timeline(encode_timeline(timeline)) == timeline
    write_reports(folder, verdict, timeline)
    render_terminal(verdict)
    describe(RecordingTail(folder / "shop" / "head", functools.partial(find_successes, accept=())).read())
    for plan in read_run(folder).recordings:
        recording = read_recording(recording_folder(folder, plan))
        assert sum(1 for _ in export_rows(plan, recording, ())) == len(recording.samples)


NUMBERS = st.one_of(
    st.sampled_from(
        [
            "0",
            "-0.0",
            "-1",
            "1",
            "0.5",
            "5e-324",
            "1e-9",
            "1e308",
            "-1e308",
            "1e999",
            "-1e999",
            "NaN",
            *("9007199254740992", "9007199254740993", "18446744073709551616", "1" * 400, "-" + "1" * 400),
            *("1e11", "1e9", "1e12", "1e15", "1000", "null", "true", "1" * 5000),
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
FIELDS = st.one_of(
    st.sampled_from([0, 2**64 - 1, 2**63]),
    st.sampled_from([-1.0, np.inf, -np.inf, np.nan, 5e-324, 1e308, 1e11, 1e12, 1e10, 1.0]).map(
        lambda number: int(np.float64(number).view(np.uint64))
    ),
    st.integers(0, 2**64 - 1),
)


def find_numbers(value, path=()):
    """The path of every number in a JSON document."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from find_numbers(inner, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def put(value, path, text):
    """``value`` as JSON, with ``text`` in place of the number at ``path``."""
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "@here@"
    return json.dumps(value).replace('"@here@"', text)


def change_number(content, number, text):
    """One number in the text of a file, or of its line, changed; ``number`` chooses which."""
    lines = content.splitlines() if content.startswith(b'{"') else [content]
    places = [(row, path) for row, line in enumerate(lines) for path in find_numbers(json.loads(line))]
    row, path = places[number % len(places)]
    lines[row] = put(json.loads(lines[row]), path, text).encode()
    return b"\n".join(lines) + b"\n"


def change_field(content, number, bits):
    """One field of a row of samples.bin changed to these bits, or of every row; ``number`` chooses which."""
    rows = np.frombuffer(content[len(MAGIC) :], dtype=SAMPLE_DTYPE).copy()
    name = SAMPLE_DTYPE.names[number % len(SAMPLE_DTYPE.names)]
    value = np.uint64(bits).view(np.float64) if SAMPLE_DTYPE[name].kind == "f" else bits
    which = number // len(SAMPLE_DTYPE.names) % (len(rows) + 1)
    with np.errstate(all="ignore"):
        value = np.array([value]).astype(SAMPLE_DTYPE[name])[0]
    rows[name][slice(None) if which == len(rows) else which] = value
    return content[: len(MAGIC)] + rows.tobytes()


def write_changed(path, number, text, bits):
    """Change one number of a file; what it held before."""
    content = path.read_bytes()
    is_samples = path.name == "samples.bin"
    path.write_bytes(
        change_field(content, number, bits) if is_samples else change_number(content, number, text)
    )
    return content


def is_judged(folder, name, change, show):
    """False where the evidence with this change is refused. The folder is then as it was."""
    path = folder / name
    before = write_changed(path, *change)
    try:
        show(folder)
    except GateError:
        return False
    finally:
        path.write_bytes(before)
    return True


CHANGES = st.tuples(st.integers(0, 2**20), NUMBERS, FIELDS)
OF_A_RECORDING = ("samples.bin", "marks.jsonl", "readings.jsonl", "machine.jsonl", "totals.json")
OF_A_RUN = (
    "run.json",
    *(f"shop/head/{name}" for name in (*OF_A_RECORDING, "probes.jsonl", "statements.jsonl")),
    *(f"shop/duet-head/{name}" for name in OF_A_RECORDING),
    *(f"shop/reset-check-1/{name}" for name in OF_A_RECORDING),
)


@settings(max_examples=200)
@given(name=st.sampled_from(OF_A_RUN), change=CHANGES)
def test_any_number__is_refused_or_judged(evidence, name, change):
    is_judged(evidence, name, change, judge_and_show)


@settings(max_examples=60)
@given(
    name=st.sampled_from(["run.json", *(f"shop/step-002/{name}" for name in OF_A_RECORDING)]), change=CHANGES
)
def test_any_number_of_a_step__is_refused_or_judged(steps, name, change):
    is_judged(steps, name, change, lambda folder: judge_capacity_folder(folder, None))


@pytest.mark.parametrize("text", ["1" * 400, "-1", "1e308"])
def test_a_number_out_of_range__is_refused(evidence, text):
    """Also where nothing is computed with it today."""
    for name in OF_A_RUN:
        if name.endswith("samples.bin") or (text == "-1" and "probes" in name):  # a gauge may fall below 0
            continue
        content = (evidence / name).read_bytes()
        lines = content.splitlines() if content.startswith(b'{"') else [content]
        count = sum(1 for line in lines[:3] for _ in find_numbers(json.loads(line)))
        for number in range(count):
            assert not is_judged(evidence, name, (number, text, 0), judge_and_show), (name, number)


def list_numbers(kind):
    """The numeric types in the type of a field, however deep."""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        yield kind
    for name in ("item_type", "key_type", "value_type"):
        if (inner := getattr(kind, name, None)) is not None:
            yield from list_numbers(inner)
    for name in ("types", "item_types"):
        for inner in getattr(kind, name, ()):
            yield from list_numbers(inner)


def list_kinds(parent):
    for kind in parent.__subclasses__():
        yield kind
        yield from list_kinds(kind)


def test_every_number_that_is_read__has_a_range():
    for module in pkgutil.walk_packages(ci_gate.evidence.__path__, "ci_gate.evidence."):
        importlib.import_module(module.name)
    kinds = [kind for kind in list_kinds(StrictValue) if kind.__module__.startswith("ci_gate.evidence.")]
    assert len(kinds) > 20
    unbounded = [
        f"{kind.__name__}.{field.name}"
        for kind in kinds
        for field in inspect.type_info(kind).fields
        for number in list_numbers(field.type)
        if number.le is None or number.ge is None
    ]
    assert unbounded == []


def test_numbers_as_written__are_judged(evidence, steps):
    judge_and_show(evidence)
    assert judge_capacity_folder(steps, None).exit_code == 0
