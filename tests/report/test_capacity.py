"""The text of a capacity. After a wanted change run ``python -m tests.report.test_capacity``, and look."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_gate.judge.capacity.step_windows import Estimate
from ci_gate.report.capacity import describe_load, describe_step, draw_bar, format_estimate, render_capacity
from tests.report.capacities import capacities

GOLDEN = Path(__file__).with_name("golden")
NAMES = ("knee", "peak", "at-least", "generator", "unfinished", "nothing")


@pytest.fixture(scope="module")
def verdicts():
    return capacities()


@pytest.mark.parametrize("name", NAMES)
def test_text__is_as_in_the_golden_file(verdicts, name):
    golden = (GOLDEN / f"capacity-{name}.txt").read_text(encoding="utf-8")
    assert render_capacity(verdicts[name]) == golden


@pytest.mark.parametrize(
    ("share", "bar"), [(0, ""), (1, "█" * 12), (0.5, "█" * 6), (1 / 24, "▌"), (2, "█" * 12), (-1, "")]
)
def test_bar__is_as_long_as_its_share(share, bar):
    assert draw_bar(share).strip() == bar


def test_words(verdicts):
    assert describe_load(1, is_open=False) == "1 user"
    assert describe_load(1200, is_open=True) == "1,200 arrivals/s"
    assert format_estimate(Estimate(value=51.23, low=48.9, high=1053)) == "51.2 (48.9 to 1,053)"
    (step,) = verdicts["nothing"].steps
    assert "limits not proven; [locust-ended-early]" in describe_step(step)


if __name__ == "__main__":
    for each, verdict in capacities().items():
        (GOLDEN / f"capacity-{each}.txt").write_text(render_capacity(verdict), encoding="utf-8")
