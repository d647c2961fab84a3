from __future__ import annotations

import json
import re
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.compare.comparison import Change
from ci_gate.judge.limits import LimitResult
from ci_gate.thresholds import metric_of, schema_text
from ci_gate.thresholds.metrics import COUNT, METRICS, MIB, MS, PER_S, SHARE
from ci_gate.thresholds.values import WORST
from tests.report.verdicts import change, limit

NAMES = (*METRICS, "p50", "p99.9")
BOUNDS = json.loads(schema_text())["$defs"]["bounds"]


@pytest.mark.parametrize(
    ("name", "worse", "is_share", "quantile", "shown"),
    [
        ("failures", 1, True, None, "20 %"),
        ("successes", -1, True, None, "20 %"),
        ("rate", -1, False, None, "0.2/s"),
        ("p50", 1, False, 0.5, "0.2 ms"),
        ("p95", 1, False, 0.95, "0.2 ms"),
        ("p0.1", 1, False, 0.001, "0.2 ms"),
        ("p99.9", 1, False, 0.999, "0.2 ms"),
        ("cpu", 1, False, None, "0.2 ms"),
        ("memory", 1, False, None, "0.2 MiB"),
        ("statements", 1, False, None, "0.2"),
    ],
)
def test_metric__says_what_it_is(name, worse, is_share, quantile, shown):
    metric = metric_of(name)
    assert (metric.worse, metric.is_share, metric.quantile) == (worse, is_share, quantile)
    assert (metric.unit.format(0.2), str(metric), metric.is_floor) == (shown, name, worse == -1)


@pytest.mark.parametrize("name", NAMES)
@given(millionths=st.integers(0, 100_000_000))
def test_figure__is_read_back_as_it_was_written_and_shown(name, millionths):
    """The bound of a file, and the text of a report with all digits: both are the same figure."""
    unit = metric_of(name).unit
    number = f"{millionths / 1_000_000:.6f}"
    figure = unit.parse(number + unit.symbol.strip())
    assert Fraction(repr(figure)) == Fraction(number) / unit.factor
    assert float(unit.read(unit.format(figure, 18))) == pytest.approx(figure, rel=1e-12)
    assert float(unit.read(unit.format(figure))) == pytest.approx(figure, rel=0.005, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
@given(measured=st.floats(0, 1e6), bound=st.floats(0, 1e6))
def test_bound__is_broken_on_the_worse_side_alone(name, measured, bound):
    metric = metric_of(name)
    assert metric.breaks(measured, bound) is (metric.worse * (measured - bound) > 0)
    assert not metric.breaks(bound, bound)


@pytest.mark.parametrize("name", ["", "p", "p0", "p100", "p9.90", "P50", "p50\n", "latency", "p" * 1000])
def test_name__of_no_metric_is_refused(name):
    with pytest.raises(ValueError, match="is no metric"):
        metric_of(name)


def test_schema__allows_the_same_names_with_the_same_units():
    forms = {SHARE: "share", PER_S: "rate", MS: "duration", MIB: "byte_size"}
    assert set(BOUNDS["properties"]) == {*METRICS, WORST}
    for name, metric in METRICS.items():
        form = BOUNDS["properties"][name]
        assert form["type"] == "number" if metric.unit == COUNT else form["$ref"].endswith(forms[metric.unit])


@given(name=st.from_regex(r"\A(?:p[0-9]{0,3}(?:\.[0-9]{0,4})?|[a-z]{1,10})\Z") | st.sampled_from(NAMES))
def test_schema__allows_a_name_exactly_if_it_is_a_metrics(name):
    is_allowed = name != WORST and re.search(BOUNDS["propertyNames"]["pattern"], name) is not None
    try:
        metric = metric_of(name)
    except ValueError:
        assert not is_allowed
    else:
        assert is_allowed
        assert metric.is_percentile is name.startswith("p")


@pytest.mark.parametrize("value", [limit(), change()])
def test_verdict__with_a_metric_that_there_is_not_is_refused(value):
    text = msgspec.json.encode(value).replace(b'"p95"', b'"p0"')
    with pytest.raises(msgspec.ValidationError, match="'p0' is no metric"):
        msgspec.json.decode(text, type=LimitResult if type(value) is LimitResult else Change)
