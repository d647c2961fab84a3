from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import BadInputError, UsageError
from ci_gate.thresholds import RATE, parse_thresholds
from ci_gate.thresholds.overrides import replace_image, replace_processes, replace_users, share_users

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
    return [limit.text for each in thresholds.scenarios for limit in each.limits if limit.metric == RATE]


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


SHARED = """\
schema: 1
service: {url: "http://s"}
profiles: {quick: {duration: 20s}}
scenarios:
  few:
    locustfile: a.py
    users: &users
      A: &count 30   # of each
      B: *count
    spawn_rate: 10
    limits: &limits
      &all all: &floor {p50: 200ms, rate: &rate "50/s"}
      GET /a: *floor
  more: {locustfile: a.py, users: {A: 300, B: *count}, spawn_rate: 10, limits: {*all : {rate: *rate}}}
  same:
    locustfile: a.py
    users: *users
    spawn_rate: 10
    limits: *limits
  open:
    locustfile: a.py
    users: *users
    spawn_rate: 10
    arrivals: 80/s
    limits: *limits
  block:
    locustfile: a.py
    users: {A:
      &own
      # how many
      300}
    spawn_rate: 10
    limits:
      all:
        rate: &folded >-
          50/s
        p50: 1s
"""


def test_users__shared_by_an_alias_are_each_scenarios_own():
    changed = replace_users(read(SHARED), 12)
    assert [users(changed, each.name) for each in changed.scenarios] == [
        {"A": 6, "B": 6},
        {"A": 10, "B": 2},
        {"A": 6, "B": 6},
        {"A": 6, "B": 6},
        {"A": 12},
    ]
    assert rates(changed) == ["10/s", "10/s", "1.818/s", "10/s", "10/s", "50/s", "50/s", "2/s"]
    lines = changed.text.splitlines()
    assert len(lines) == len(SHARED.splitlines())
    assert lines[7] == "      A: &count 6   # of each"
    assert lines[16] == '    users: {"A": 6, "B": 6}'


class SharingDumper(yaml.SafeDumper):
    """Writes whatever is the same object as an alias: texts and numbers too, and keys."""

    def ignore_aliases(self, _):
        return False


NAMES = st.sampled_from(["A", "B", "C", "D"])
ENDPOINTS = st.sampled_from(["all", "GET /a", "POST /b/{id}: ü", "GET /'\"#"])
BOUNDS = st.fixed_dictionaries(
    {"p50": st.sampled_from(["200ms", "1s"])},
    optional={"rate": st.sampled_from(["50/s", "7.5/s", "0.01/s", "999999999.999999/s"])},
)


@st.composite
def shared_documents(draw):
    """A thresholds.yaml whose scenarios are made of the same few pieces."""

    def pool(pieces):
        return st.sampled_from(draw(st.lists(pieces, min_size=1, max_size=2)))

    counts = pool(st.dictionaries(NAMES, st.sampled_from([1, 3, 30, 5000]), min_size=1, max_size=3))
    bounds = pool(BOUNDS)
    limits = pool(st.dictionaries(ENDPOINTS, bounds, min_size=1, max_size=3))
    scenarios = pool(
        st.fixed_dictionaries(
            {"locustfile": st.just("a.py"), "users": counts, "spawn_rate": st.just(30), "limits": limits},
            optional={"arrivals": st.just("50/s"), "expected": st.just(["GET /a", "GET /b"])},
        )
    )
    document = {
        "schema": 1,
        "service": {"url": "http://s"},
        "profiles": {"quick": {"duration": "20s"}},
        "scenarios": {f"s{index}": draw(scenarios) for index in range(draw(st.integers(1, 4)))},
    }
    style = draw(st.sampled_from([True, False, None]))
    dumper = draw(st.sampled_from([SharingDumper, yaml.SafeDumper]))
    return yaml.dump(document, Dumper=dumper, default_flow_style=style, allow_unicode=True, width=1000)


def without_places(value):
    """As plain data, without what says where it stands or how it is written."""
    if isinstance(value, dict):
        return {
            key: without_places(inner) for key, inner in value.items() if key not in {"at", "text", "sha256"}
        }
    return [without_places(each) for each in value] if isinstance(value, list | tuple) else value


def lower(scenario, total):
    """The floors of a scenario as they should be: their share, less by no more than a step."""
    share = Fraction(total, scenario.user_count) if scenario.arrivals_per_s is None else 1
    for limit in scenario.limits:
        exact = limit.exact_bound * share
        if limit.metric != RATE or share >= 1:
            yield limit
        else:
            step = 10**3 if exact >= Fraction(1, 10**3) else 10**6
            bound = float(Fraction(max(math.floor(exact * step), 1), step))
            yield dataclasses.replace(limit, bound=bound)


@given(text=shared_documents(), total=st.integers(3, 6000))
def test_users__only_the_chosen_numbers_differ(text, total):
    before = read(text)
    after = replace_users(before, total)
    scenarios = [
        dataclasses.replace(
            each,
            users=tuple(
                dataclasses.replace(user, count=share_users(each, total)[user.user_class])
                for user in each.users
            ),
            limits=tuple(lower(each, total)),
        )
        for each in before.scenarios
    ]
    expected = dataclasses.replace(before, scenarios=tuple(scenarios))
    assert without_places(dataclasses.asdict(after)) == without_places(dataclasses.asdict(expected))
    assert after.text.count("\n") == text.count("\n")
    if without_places(dataclasses.asdict(expected)) == without_places(dataclasses.asdict(before)):
        assert after.text == text


def test_floor__is_rounded_down_and_never_to_nothing():
    text = TEXT.replace("50/s", "50.0001/s").replace("7.5/s", "0.0001/s")
    assert rates(replace_users(read(text), 30)) == ["37.5/s", "0.000001/s", "70/s"]


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


@pytest.mark.parametrize(("processes", "expected"), [(4, 4), ("auto", None)])
def test_processes__stand_in_the_text_too(processes, expected):
    thresholds = replace_processes(read(), processes)
    assert thresholds.processes == expected
    assert read(thresholds.text).processes == expected
    again = replace_processes(thresholds, 2)
    assert (again.processes, again.text.count("processes")) == (2, 1)
    assert again.scenarios == read().scenarios


def test_processes__more_than_a_scenario_has_users_are_refused():
    with pytest.raises(BadInputError, match="'processes' cannot be 41: 'flow' has 40 users"):
        replace_processes(read(), 41)


def test_image__stays_when_users_and_processes_are_replaced_after_it():
    imaged = replace_image(read(), "shop:1")
    for thresholds in (replace_users(imaged, 20), replace_processes(imaged, 2)):
        assert thresholds.service == imaged.service
