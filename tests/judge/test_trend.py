from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.judge.quantiles import compute_quantile
from ci_gate.judge.summary import select_steady_phase
from ci_gate.judge.trend import MAX_SLICES, find_trend
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from tests.judge.recordings import BEGIN_S, DURATION_S, make_recording, make_rows
from tests.report.verdicts import scenario, trend, verdict

A, B = 2, 3


def trend_of(*rows, marks=None):
    recording = make_recording(*rows)
    recording = recording if marks is None else msgspec.structs.replace(recording, marks=marks)
    return find_trend(select_steady_phase(recording, ()))


def lasting(duration_s):
    """Marks of a steady phase of this length."""
    return tuple(
        msgspec.structs.replace(mark, wall_s=BEGIN_S + duration_s) if mark.name == "stopping" else mark
        for mark in make_recording().marks
        if mark.name != "ended"
    )


def test_trend__rate_and_p95_of_each_slice():
    found = trend_of(make_rows(A, [10.0] * 500 + [20.0] * 500))
    assert found.slice_s == 1.0
    assert found.p95_ms == (10.0,) * 5 + (20.0,) * 5
    assert found.rate_per_s == (100.0,) * 10


def test_trend__of_successes_and_of_all_endpoints_together():
    found = trend_of(
        make_rows(A, [10.0] * 100), make_rows(B, [30.0] * 100), make_rows(A, [1.0] * 100, status=500)
    )
    assert found.rate_per_s == (20.0,) * 10
    assert found.p95_ms == (30.0,) * 10


def test_trend__a_slice_without_success_has_no_p95():
    broken = make_rows(A, [1.0] * 100, status=500)
    good = make_rows(A, [10.0] * 100)
    good = good[good["intended_s"] < BEGIN_S + DURATION_S / 2]
    found = trend_of(good, broken)
    assert found.p95_ms == (10.0,) * 5 + (None,) * 5
    assert found.rate_per_s == (10.0,) * 5 + (0.0,) * 5


def test_trend__counts_from_the_intended_start():
    found = trend_of(make_rows(A, [10.0] * 100, late_s=0.5))
    assert found.p95_ms == pytest.approx([510.0] * 10)


@pytest.mark.parametrize(
    ("duration_s", "slices"), [(1.9, None), (2.0, 2), (10.0, 10), (24.5, 24), (60.0, 24), (3600.0, 24)]
)
def test_trend__has_at_most_24_slices_of_a_second_at_least(duration_s, slices):
    found = trend_of(make_rows(A, [10.0] * 100), marks=lasting(duration_s))
    assert (found and len(found.p95_ms)) == slices
    if found:
        assert found.slice_s * slices == pytest.approx(duration_s)
        assert found.slice_s >= 1.0


def test_trend__of_a_phase_that_never_began_or_brought_nothing():
    assert trend_of(make_rows(A, [10.0]), marks=()) is None
    found = trend_of()
    assert found.p95_ms == (None,) * 10
    assert found.rate_per_s == (0.0,) * 10


@given(st.lists(st.floats(0, 1e5), max_size=200), st.floats(2, 1000))
def test_trend__slices_add_up_to_the_whole(times_ms, duration_s):
    rows = make_rows(A, times_ms)
    rows["intended_s"] = BEGIN_S + (rows["intended_s"] - BEGIN_S) * duration_s / DURATION_S
    rows["start_s"] = rows["intended_s"]
    rows = rows[rows["intended_s"] < BEGIN_S + duration_s]
    found = trend_of(rows, marks=lasting(duration_s))
    assert sum(found.rate_per_s) * found.slice_s == pytest.approx(len(rows))
    known = [value for value in found.p95_ms if value is not None]
    assert bool(known) == bool(len(rows))
    if known:
        assert min(known) <= compute_quantile(rows["response_ms"], 0.95) * (1 + 1e-9)
        assert max(known) <= np.max(rows["response_ms"]) * (1 + 1e-9)


def test_verdict__reads_with_a_trend_and_without_one():
    with_trend = verdict(scenario(trend=trend([1.0, None], [2.0, 0.0])))
    assert decode_verdict(encode_verdict(with_trend)) == with_trend
    old = encode_verdict(verdict()).replace(b'"trend"', b'"gone"')
    assert b"gone" in old
    with pytest.raises(EvidenceError):
        decode_verdict(old)
    values = msgspec.json.decode(encode_verdict(verdict()))
    for each in values["scenarios"]:
        del each["trend"]
    assert decode_verdict(msgspec.json.encode(values)) == verdict()


def test_verdict__with_a_trend_of_any_length_is_refused():
    long = verdict(scenario(trend=trend([1.0] * (MAX_SLICES + 1), [1.0])))
    with pytest.raises(EvidenceError, match="length"):
        decode_verdict(encode_verdict(long))
