"""What charts are drawn from: nothing is lost, nothing is smoothed away, and what is not known is a gap."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import EvidenceError
from ci_gate.evidence.readings import Mark, ProbeReading
from ci_gate.judge.steady import classify
from ci_gate.judge.timeline.run_timeline import RunTimeline, decode_timeline, encode_timeline
from ci_gate.judge.timeline.seconds import Seconds, decimate
from ci_gate.judge.timeline.timeline import MAX_POINTS, draw_timeline
from tests.judge.evidence_notation import HEALTHY, draw
from tests.judge.evidence_values import make_machine_reading, make_run
from tests.judge.recordings import BEGIN_S, make_recording, make_rows
from tests.judge.timelines import draw_timelines

BEGUN_S = 980.0  # of the recordings that make_recording makes
SHOP = HEALTHY + "\n20 GET /items 503 2ms\n4 GET /items 0 90ms never"


def second_of(timeline, wall_s):
    return int(wall_s - timeline.begin_s)


def probe(wall_s, probe="service", **values):
    return ProbeReading(wall_s=wall_s, probe=probe, took_ms=1, values=values)


def machine(wall_s, cpu):
    return make_machine_reading(wall_s, host_cpu_percent=cpu, service_cpu_percent=None)


def run_of(evidence):
    plan = msgspec.structs.replace(evidence.plan, scenario="shop")
    return make_run(evidence.thresholds, recordings=(plan,))


def test_rate__counts_every_request_once_in_the_second_it_was_due():
    timeline = draw_timeline(classify(draw(SHOP).recording, ()))
    assert sum(timeline.series["rate"]["successes"]) == 900
    assert sum(timeline.series["rate"]["failures"]) == 24
    assert {name: sum(each) for name, each in timeline.series["failures"].items()} == {
        "503": 20,
        "no reply": 4,
    }


def test_accepted_status__is_a_success_here_too():
    evidence = draw(SHOP + "\naccept GET /items 503")
    timeline = draw_timeline(classify(evidence.recording, evidence.scenario.accept))
    assert set(timeline.series["failures"]) == {"no reply"}
    assert sum(timeline.series["rate"]["successes"]) == 920


def test_latency__is_that_of_successes_from_the_intended_start():
    late = make_rows(2, [100.0] * 10, late_s=0.4)
    failed = make_rows(2, [9_000.0] * 10, status=500)
    timeline = draw_timeline(classify(make_recording(late, failed), ()))
    at = second_of(timeline, BEGIN_S)
    assert timeline.series["latency"]["p99"][at] == pytest.approx(500.0)


def test_second_without_a_success__has_no_latency():
    timeline = draw_timeline(classify(make_recording(make_rows(2, [5.0, 7.0])), ()))
    assert timeline.series["latency"]["p50"][second_of(timeline, BEGIN_S) + 1] is None
    assert timeline.series["rate"]["successes"][second_of(timeline, BEGIN_S) + 1] == 0


def test_phases__cover_the_recording_in_order():
    phases = draw_timeline(classify(make_recording(make_rows(2, [5.0])), ())).phases
    assert [(each.name, each.begin_s, each.end_s) for each in phases] == [
        ("ramp-up", 0.0, 10.0),
        ("warm-up", 10.0, 20.0),
        ("steady", 20.0, 30.0),
        ("drain", 30.0, 31.0),
    ]


def test_phases__of_a_run_that_was_cut_off_end_with_it():
    marks = tuple(
        Mark(name=name, wall_s=at, monotonic_s=at) for name, at in [("started", 980), ("steady", 990)]
    )
    phases = draw_timeline(classify(make_recording(make_rows(2, [5.0]), marks=marks), ())).phases
    assert [each.name for each in phases] == ["ramp-up", "steady"]
    assert phases[-1].end_s > 10


def test_peak_and_stall__survive_a_run_of_hours():
    rows = make_rows(2, [10.0] * 8000)
    rows["start_s"] = rows["intended_s"] = BEGUN_S + np.linspace(0, 7999, 8000)
    rows["response_ms"][4321] = 777.0
    rows = rows[np.arange(8000) != 5000]
    timeline = draw_timeline(classify(make_recording(rows, marks=()), ()))
    assert len(timeline.time_s) <= MAX_POINTS + 2
    assert max(filter(None, timeline.series["latency"]["p99"])) == 777.0
    assert 0.0 in timeline.series["rate"]["successes"][:-2]
    lengths = {len(values) for lines in timeline.series.values() for values in lines.values()}
    assert lengths == {len(timeline.time_s)}


@given(
    values=st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)), min_size=1, max_size=60),
    span_s=st.integers(1, 9),
)
def test_thinned__has_the_extremes_of_each_span_in_the_order_in_which_they_came(values, span_s):
    kept = decimate(np.array(values), span_s).tolist()
    for number in range(0, len(values), span_s):
        span = [value for value in values[number : number + span_s] if not np.isnan(value)]
        first, last = (kept[number : number + 1] * 2) if span_s == 1 else kept[2 * number // span_s :][:2]
        if span:
            assert {first, last} == {min(span), max(span)}
            assert span.index(first) <= span.index(last)
        else:
            assert np.isnan([first, last]).all()


@given(
    times=st.lists(st.floats(0, 9.99), max_size=80),
    quantile=st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]),
)
def test_quantiles__are_numpys_of_each_second(times, quantile):
    seconds = Seconds(begin_s=0.0, count=10)
    at = np.array(times, dtype=float)
    values = np.arange(len(times), dtype=float) ** 1.5
    (found,) = seconds.quantiles(seconds.index(at), values, (quantile,))
    for second in range(10):
        own = values[(at >= second) & (at < second + 1)]
        expected = np.quantile(own, quantile) if own.size else np.nan
        assert found[second] == pytest.approx(expected, nan_ok=True)


def test_reading__tells_of_the_second_before_it_and_none_is_lost():
    placed = Seconds(begin_s=0.0, count=6).place([1.0, 2.02, 2.98, 5.5], [1.0, 2.0, 9.0, 4.0])
    assert placed.tolist()[:4] == [1.0, 1.0, 9.0, 9.0]  # the second without one takes the one before
    assert np.isnan(placed[4])  # but only one such second
    assert placed[5] == 4.0


def test_readings__of_nothing_are_no_line():
    timeline = draw_timeline(classify(make_recording(machine=(machine(1001, 50.0),)), ()))
    assert set(timeline.series["cpu"]) == {"generator", "host"}
    assert "pool" not in timeline.series


def test_probes__gauges_stand_as_they_are_and_counters_as_their_growth():
    probes = tuple(
        each
        for at in range(10)
        for each in (
            probe(BEGUN_S + 1 + at, pool_in_use=at, pool_size=5, unknown_to_us=1),
            probe(BEGUN_S + 1 + at, "redis", commands=100.0 * at if at < 8 else 7.0),
        )
    )
    series = draw_timeline(classify(make_recording(make_rows(2, [5.0]), probes=probes), ())).series
    assert set(series["pool"]) == {"pool_size", "pool_in_use"}
    assert series["pool"]["pool_in_use"][:4] == (0.0, 1.0, 2.0, 3.0)
    assert series["redis"]["commands"][:3] == (None, 100.0, 100.0)
    assert min(filter(None, series["redis"]["commands"])) > 0  # the server began anew: not a fall


def test_clock_that_jumps__makes_no_endless_arrays():
    rows = make_rows(2, [5.0, 6.0])
    rows["intended_s"][1] = rows["start_s"][1] = 1e12
    timeline = draw_timeline(classify(make_recording(rows), ()))
    assert len(timeline.time_s) <= MAX_POINTS + 2


def test_recording_without_anything__is_drawn():
    timeline = draw_timeline(classify(make_recording(marks=(), readings=()), ()))
    assert timeline.time_s == ()


def test_distribution__holds_every_success_of_the_steady_phase_on_shared_edges():
    evidence = draw(SHOP)
    run = run_of(evidence)
    slower = draw(SHOP.replace("5-50ms", "0-500ms")).recording
    recordings = {("shop", "head"): evidence.recording, ("shop", "duet-base"): slower}
    (scenario,) = draw_timelines(evidence.thresholds, run, recordings).scenarios
    assert {side: sum(counts) for side, counts in scenario.counts.items()} == {"head": 900, "duet-base": 900}
    assert {len(counts) for counts in scenario.counts.values()} == {len(scenario.edges_ms) - 1}
    ratios = np.diff(np.log10(scenario.edges_ms))
    assert ratios == pytest.approx(np.full_like(ratios, 1 / 20), rel=1e-3)


def test_timelines__leave_out_what_was_not_recorded_and_trials():
    evidence = draw(SHOP)
    assert draw_timelines(evidence.thresholds, run_of(evidence), {}).scenarios == ()
    recordings = {("shop", "reset-check-1"): evidence.recording}
    assert draw_timelines(evidence.thresholds, run_of(evidence), recordings).scenarios == ()


def test_timeline__is_read_back_as_written_and_nothing_else_is():
    evidence = draw(SHOP)
    timeline = draw_timelines(evidence.thresholds, run_of(evidence), {("shop", "head"): evidence.recording})
    text = encode_timeline(timeline)
    assert decode_timeline(text) == timeline
    for wrong in (b"", b"{}", text[:-9], text.replace(b'"schema":1', b'"schema":2'), b"[" * 100_000):
        with pytest.raises(EvidenceError):
            decode_timeline(wrong)
    with pytest.raises(EvidenceError, match="larger"):
        decode_timeline(b" " * (65 * 1024**2))
    assert isinstance(timeline, RunTimeline)


def test_listen_queue__is_drawn_where_a_connection_waited():
    def queues(*values):
        readings = (
            make_machine_reading(BEGIN_S + at, service_listen_queue=each) for at, each in enumerate(values)
        )
        return draw_timeline(classify(make_recording(machine=tuple(readings)), ())).series.get("listen")

    assert max(filter(None, queues(0, 7, 3)["waiting"])) == 7
    assert queues(0, 0) is queues(None) is None


@pytest.mark.parametrize(("kind", "name"), [("service", "statements"), ("postgres", "statement_calls")])
def test_statements__are_drawn_for_each_success(kind, name):
    rows = make_rows(2, [10.0] * 200)
    readings = tuple(probe(BEGIN_S + at, kind, **{name: 60.0 * at}) for at in range(11))
    drawn = draw_timeline(classify(make_recording(rows, probes=readings), ())).series["statements"][
        "per success"
    ]
    assert {value for value in drawn if value is not None} == {3.0}
    assert drawn.count(None) >= len(drawn) - 10
    late = make_rows(2, [10.0] * 60, begin_s=BEGIN_S + 10)[:6]  # as the load ends
    drawn = draw_timeline(classify(make_recording(rows, late, probes=readings), ()))
    assert max(filter(None, drawn.series["statements"]["per success"])) == 3.0
    nobody = draw_timeline(classify(make_recording(rows), ()))
    assert "statements" not in nobody.series
