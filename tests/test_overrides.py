from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import UsageError
from ci_gate.overrides import replace_image, replace_users, share_users
from ci_gate.thresholds import parse_thresholds

TEXT = """\
schema: 1
service: {command: serve --port {port}}
profiles: {quick: {duration: 20s}}
scenarios:
  flow:  # the users are here: {A: 30}
    locustfile: a.py
    users: {A: 30, B: 10}   # three to one
    spawn_rate: 10
    limits:
      all: {p50: 200ms, rate: 50/s}
  block:
    locustfile: a.py
    users:
      A: 3000
    spawn_rate: 10
    limits:
      GET /a:
        rate: 7.5/s
  open:
    locustfile: a.py
    users: {A: 500}
    spawn_rate: 100
    arrivals: 80/s
    limits:
      all: {rate: 70/s}
""".replace("{command: serve --port {port}}", '{command: "serve --port {port}"}')


def read(text=TEXT):
    return parse_thresholds(text, "thresholds.yaml")


def users(thresholds, name):
    return {each.user_class: each.count for each in thresholds.scenario(name).users}


def rates(thresholds):
    return [limit.text for each in thresholds.scenarios for limit in each.limits if limit.metric == "rate"]


def test_users__keep_their_proportion():
    assert users(replace_users(read(), 20), "flow") == {"A": 15, "B": 5}


def test_users__in_every_scenario_and_only_the_numbers_change():
    changed = replace_users(read(), 20)
    assert users(changed, "block") == {"A": 20}
    expected = (
        TEXT.replace("{A: 30, B: 10} ", "{A: 15, B: 5} ").replace("A: 3000", "A: 20").replace("500}", "20}")
    )
    expected = expected.replace("rate: 50/s", "rate: 25/s").replace("rate: 7.5/s", "rate: 0.05/s")
    assert changed.text == expected
    assert changed.sha256 != read().sha256


def test_users__fewer_lower_the_floors_of_a_closed_workload_only():
    assert rates(replace_users(read(), 20)) == ["25/s", "0.05/s", "70/s"]


def test_users__more_raise_no_floor():
    assert rates(replace_users(read(), 4000)) == ["50/s", "7.5/s", "70/s"]


def test_users__as_many_as_there_are_change_nothing():
    text = TEXT.replace("3000", "40").replace("500", "40")
    assert replace_users(read(text), 40).text == text


def test_users__fewer_than_classes_are_refused():
    with pytest.raises(UsageError, match="flow has 2 user classes"):
        replace_users(read(), 1)


@given(counts=st.lists(st.integers(1, 10_000), min_size=1, max_size=6), total=st.integers(6, 100_000))
def test_shares__add_up_and_leave_nobody_out(counts, total):
    classes = ", ".join(f"U{index}: {count}" for index, count in enumerate(counts))
    flow = read(TEXT.replace("A: 30, B: 10} ", f"{classes}}} ")).scenarios[0]
    shares = share_users(flow, total)
    assert sum(shares.values()) == total
    assert min(shares.values()) >= 1
    spare, asked = total - len(counts), sum(counts)
    for index, count in enumerate(counts):
        assert abs(shares[f"U{index}"] - 1 - spare * count / asked) < 1


def test_image__replaces_how_the_service_is_started_and_no_text():
    changed = replace_image(read(), "shop:1")
    assert (changed.service.kind, changed.service.target) == ("image", "shop:1")
    assert changed.text == TEXT
    assert changed.scenarios == read().scenarios
