from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.thresholds import (
    Compare,
    LocustSettings,
    Profile,
    Scenario,
    Service,
    Thresholds,
    parse_thresholds,
)

DOCUMENT = {
    "schema": 1,
    "service": {"command": "shop --port {port}", "env": {"MODE": "a"}, "cpus": 2},
    "probes": {"postgres": "${DATABASE_URL:-}"},
    "profiles": {"quick": {"duration": "20s", "warmup": "3s"}},
    "scenarios": {
        "checkout": {
            "locustfile": "load/checkout.py",
            "users": {"Buyer": 10, "Reader": 5},
            "spawn_rate": 5,
            "accept": {"GET /a": [404]},
            "expected": ["POST /login"],
            "limits": {
                "all": {"p50": "200ms", "failures": "1%", "rate": "50/s"},
                "GET /a": {"p95": "300ms"},
            },
            "regression": {"p50": "10%"},
        },
        "burst": {
            "locustfile": "load/burst.py",
            "users": {"Buyer": 10},
            "spawn_rate": 5,
            "limits": {"all": {"p50": "1s"}},
        },
    },
}
TEXT = """schema: 1
service: {url: 'http://shop'}
profiles: {quick: {duration: 20s}}
scenarios:
  burst:
    locustfile: burst.py
    users: {Buyer: 10}
    spawn_rate: 5
    limits:
      all: {p50: 1s}
      GET /: {p50: 1s}"""
INVERSE = {"loosened": "tightened", "tightened": "loosened", "changed": "changed"}


def parse(document):
    return parse_thresholds(json.dumps(document), "thresholds.yaml")


def edit(*steps, to=None):
    """DOCUMENT with the value at ``steps`` replaced, or removed where ``to`` is None."""
    document = copy.deepcopy(DOCUMENT)
    inner = document
    for step in steps[:-1]:
        inner = inner.setdefault(step, {})
    if to is None:
        del inner[steps[-1]]
    else:
        inner[steps[-1]] = to
    return document


def describe(changes):
    return [
        (change.direction, change.scenario, change.endpoint, change.setting, change.old, change.new)
        for change in changes
    ]


CHECKOUT = ("scenarios", "checkout")
ALL = (*CHECKOUT, "limits", "all")
EDITS = [
    ((*ALL, "p50"), "250ms", ("loosened", "checkout", "all", "p50", "200ms", "250ms")),
    ((*ALL, "p50"), "150ms", ("tightened", "checkout", "all", "p50", "200ms", "150ms")),
    ((*ALL, "p50"), None, ("loosened", "checkout", "all", "p50", "200ms", None)),
    ((*ALL, "p99"), "1s", ("tightened", "checkout", "all", "p99", None, "1s")),
    ((*ALL, "rate"), "40/s", ("loosened", "checkout", "all", "rate", "50/s", "40/s")),
    ((*ALL, "rate"), "60/s", ("tightened", "checkout", "all", "rate", "50/s", "60/s")),
    ((*ALL, "failures"), "2%", ("loosened", "checkout", "all", "failures", "1%", "2%")),
    (
        ("scenarios", "burst", "limits", "all", "failures"),
        "100%",
        ("loosened", "burst", "all", "failures", "1% (default)", "100%"),
    ),
    (
        ("scenarios", "burst", "limits", "all", "successes"),
        "98%",
        ("loosened", "burst", "all", "failures", "1% (default)", "successes 98%"),
    ),
    ((*CHECKOUT, "limits", "GET /a"), None, ("loosened", "checkout", "GET /a", "p95", "300ms", None)),
    ((*CHECKOUT, "users", "Buyer"), 9, ("loosened", "checkout", "", "users Buyer", "10", "9")),
    ((*CHECKOUT, "users", "Buyer"), 11, ("tightened", "checkout", "", "users Buyer", "10", "11")),
    ((*CHECKOUT, "users", "Reader"), None, ("loosened", "checkout", "", "users Reader", "5", None)),
    ((*CHECKOUT, "spawn_rate"), 2.5, ("loosened", "checkout", "", "spawn_rate", "5/s", "2.5/s")),
    (
        (*CHECKOUT, "locustfile"),
        "load/b.py",
        ("changed", "checkout", "", "locustfile", "load/checkout.py", "load/b.py"),
    ),
    (
        (*CHECKOUT, "accept", "GET /a"),
        [404, 409],
        ("loosened", "checkout", "GET /a", "accept 409", None, "accepted"),
    ),
    ((*CHECKOUT, "accept"), None, ("tightened", "checkout", "GET /a", "accept 404", "accepted", None)),
    ((*CHECKOUT, "expected"), None, ("loosened", "checkout", "POST /login", "expected", "expected", None)),
    ((*CHECKOUT, "regression"), None, ("loosened", "checkout", "", "tolerance p50", "10%", None)),
    (
        (*CHECKOUT, "regression", "p50"),
        "15%",
        ("loosened", "checkout", "", "tolerance p50", "10%", "15%"),
    ),
    (
        (*CHECKOUT, "regression", "p95"),
        "15%",
        ("tightened", "checkout", "", "tolerance p95", None, "15%"),
    ),
    (("scenarios", "burst"), None, ("loosened", "burst", "", "scenario", "2 limits", None)),
    (
        ("profiles", "quick", "duration"),
        "10s",
        ("loosened", "", "", "profile quick duration", "20 s", "10 s"),
    ),
    (("profiles", "quick", "warmup"), "10s", ("loosened", "", "", "profile quick warmup", "3 s", "10 s")),
    (
        ("service", "command"),
        "x {port}",
        ("changed", "", "", "service command", "shop --port {port}", "x {port}"),
    ),
    (("service", "env", "MODE"), "b", ("changed", "", "", "service env MODE", "a", "b")),
    (("service", "env", "NEW"), "b", ("changed", "", "", "service env NEW", None, "b")),
    (("service", "cpus"), 4, ("loosened", "", "", "service cpus", "2", "4")),
    (("service", "cpus"), None, ("loosened", "", "", "service cpus", "2", "unlimited")),
    (
        ("service", "memory"),
        "1GiB",
        ("tightened", "", "", "service memory", "unlimited", "1,073,741,824 bytes"),
    ),
    (("service", "port"), 9000, ("changed", "", "", "service port", None, "9000")),
    (("service", "before_start"), "mk", ("changed", "", "", "service before_start", "none", "mk")),
    (
        ("service", "needs"),
        {"compose": "c.yaml", "services": ["db", "cache"]},
        ("changed", "", "", "service needs", None, "db, cache of c.yaml for both sides, within 120 s"),
    ),
    (("service", "processes"), {"w": "x"}, ("changed", "", "", "service process w", None, "x")),
    (("service", "ca"), "ca.pem", ("changed", "", "", "service ca", "none", "ca.pem")),
    (
        ("service", "ready"),
        {"path": "/", "status": [401]},
        ("changed", "", "", "service ready", "/", "/ (401 too)"),
    ),
    (("service", "ready"), {"tcp": True}, ("changed", "", "", "service ready", "/", "tcp")),
    (("service", "ready"), "/up", ("changed", "", "", "service ready", "/", "/up")),
    (("on_inconclusive",), "block", ("tightened", "", "", "on_inconclusive", "warn", "block")),
    (
        (*CHECKOUT, "relax"),
        {"uniform-body": "it is so"},
        ("loosened", "checkout", "", "relax uniform-body", None, "it is so"),
    ),
    (("compare",), {"max_duration": "1h"}, ("tightened", "", "", "compare max_duration", "120 s", "3600 s")),
    (("compare",), {"alpha": "0.5%"}, ("loosened", "", "", "compare alpha", "1%", "0.5%")),
    # One start blocks more than two do.
    (("compare",), {"confirm": False}, ("tightened", "", "", "compare confirm", "true", "false")),
    (("compare",), {"scatter": {"p50": "4%"}}, ("loosened", "", "", "compare scatter p50", None, "4%")),
    (
        ("changes",),
        {"loosening": {"label": "ok"}},
        ("changed", "", "", "label for loosening", "thresholds-approved", "ok"),
    ),
]


@pytest.mark.parametrize(("path", "to", "expected"), EDITS, ids=lambda value: str(value)[:60])
def test_edit__is_one_change_with_its_direction(path, to, expected):
    assert describe(compare_thresholds(parse(DOCUMENT), parse(edit(*path, to=to)))) == [expected]


@pytest.mark.parametrize(("path", "to", "expected"), EDITS, ids=lambda value: str(value)[:60])
def test_edit__undone_is_the_inverse(path, to, expected):
    effect, scenario, endpoint, setting, old, new = expected
    undone = (INVERSE[effect], scenario, endpoint, setting, new, old)
    assert describe(compare_thresholds(parse(edit(*path, to=to)), parse(DOCUMENT))) == [undone]


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ((*ALL, "p50"), "0.2s"),
        (("profiles", "quick", "duration"), "20000ms"),
        (("scenarios", "burst", "limits", "all", "failures"), "1%"),
        (("scenarios", "burst", "limits", "all", "successes"), "99%"),
        (("service", "ready"), "/"),
        (("service", "ready_timeout"), "1m"),
        (("on_inconclusive",), "warn"),
        (("changes",), {"loosening": {"label": "thresholds-approved"}}),
    ],
    ids=str,
)
def test_another_way_to_write_the_same__is_no_change(path, to):
    assert compare_thresholds(parse(DOCUMENT), parse(edit(*path, to=to))) == ()


def test_probes__can_move_no_verdict_and_are_no_change():
    edited = edit(
        "probes", to={"postgres": "", "metrics": {"path": "/metrics", "requests": "requests_total"}}
    )
    assert compare_thresholds(parse(DOCUMENT), parse(edited)) == ()


def test_line__is_where_the_new_file_says_it():
    old = parse_thresholds(TEXT, "t.yaml")
    new = parse_thresholds(TEXT.replace("GET /: {p50: 1s", "GET /: {p50: 2s"), "t.yaml")
    (change,) = compare_thresholds(old, new)
    assert (change.line, change.action) == (11, "edited")
    (removed,) = compare_thresholds(old, parse_thresholds(TEXT.rpartition("\n")[0], "t.yaml"))
    assert (removed.line, removed.action) == (None, "removed")


def test_files__are_shown_but_have_no_direction():
    thresholds = parse(DOCUMENT)
    changes = compare_thresholds(
        thresholds,
        thresholds,
        old_files={"load/checkout.py": "a" * 40, "same.py": "c" * 40, "gone.yml": "d" * 40},
        new_files={"load/checkout.py": "b" * 40, "same.py": "c" * 40},
    )
    assert describe(changes) == [
        ("changed", "", "", "file gone.yml", "d" * 12, None),
        ("changed", "", "", "file load/checkout.py", "a" * 12, "b" * 12),
    ]


def open_workload(**settings):
    return edit(*CHECKOUT, to={**DOCUMENT["scenarios"]["checkout"], **settings})


def test_open_workload__is_another_load_and_its_rate_has_a_direction():
    slow, fast = open_workload(arrivals="5/s", ramp="2s"), open_workload(arrivals="6/s", ramp="1s")
    changes = describe(compare_thresholds(parse(slow), parse(fast)))
    assert changes == [
        ("tightened", "checkout", "", "arrivals", "5/s", "6/s"),
        ("tightened", "checkout", "", "ramp", "2 s", "1 s"),
    ]
    effects = {change.direction for change in compare_thresholds(parse(DOCUMENT), parse(slow))}
    assert effects == {"changed"}


def test_cpu_of__is_less_and_more_whichever_way_it_changes():
    alone, both = parse(DOCUMENT), parse(edit("cpu_of", to=["service", "postgres"]))
    assert describe(compare_thresholds(alone, both)) == [
        ("loosened", "", "", "cpu_of service", "counted", None),
        ("tightened", "", "", "cpu_of service, postgres", None, "counted"),
    ]
    assert describe(compare_thresholds(both, alone))[0][:4] == (
        "loosened",
        "",
        "",
        "cpu_of service, postgres",
    )
    assert not compare_thresholds(alone, parse(edit("cpu_of", to=["service"])))


def test_compare_load__less_of_it_is_loosened():
    tolerated = {**DOCUMENT["scenarios"]["checkout"], "regression": {"p50": "10%"}}
    half, full = (edit(*CHECKOUT, to={**tolerated, **more}) for more in ({}, {"compare_load": "100%"}))
    changes = describe(compare_thresholds(parse(half), parse(full)))
    assert changes == [("tightened", "checkout", "", "compare_load", "50%", "100%")]
    (back,) = compare_thresholds(parse(full), parse(half))
    assert back.direction == "loosened"
    assert not compare_thresholds(
        parse(half), parse(edit(*CHECKOUT, to={**tolerated, "compare_load": "50%"}))
    )


@pytest.mark.parametrize(
    ("value", "compared", "no_setting"),
    [
        (Thresholds, {"service", "profiles", "scenarios", "on_inconclusive", "compare", "processes",
          "loosening_label"},
         {"file", "text", "sha256", "probes"}),  # probes can move no verdict
        (Compare, {"max_duration_s", "alpha", "confirm", "scatter"}, set()),
        (Profile, {"name", "duration_s", "warmup_s"}, set()),
        (Service, {"kind", "target", "ready", "ready_timeout_s", "port", "env", "needs", "before_start",
                   "before_start_timeout_s", "before_each", "before_each_timeout_s", "processes", "ca",
                   "cpus", "memory_bytes"}, {"at"}),
        (Scenario, {"name", "locust", "users", "spawn_rate", "arrivals_per_s", "ramp_s", "accept",
                    "expected", "relax", "limits", "regression", "compare_load", "cpu_of"},
         {"at", "peak_users",  # the option of a run says that, and no file
          "trace", "trace_link"}),  # each side sends them; they can move no verdict
            (LocustSettings, {"locustfiles", "directory", "env", "args", "tags", "exclude_tags", "host",
                              "shape"},
             set()),
    ],
)  # fmt: skip
def test_every_field__is_compared(value, compared, no_setting):
    """Fails on a new field: it needs a row in threshold_changes, and a line here."""
    assert {field.name for field in dataclasses.fields(value)} == compared | no_setting


def test_fixed_port__is_less_for_base_can_no_longer_be_compared():
    loosened, changed = compare_thresholds(
        parse(DOCUMENT),
        parse(edit("service", to={"command": "shop", "port": 9000, "cpus": 2, "env": {"MODE": "a"}})),
    )
    assert (loosened.direction, loosened.setting, loosened.new) == ("loosened", "service fixed port", "9000")
    assert changed.setting == "service command"


ENDPOINTS = st.sampled_from(["all", "GET /a", "POST /b"])
BOUNDS = st.fixed_dictionaries(
    {"p50": st.sampled_from(["100ms", "0.1s", "200ms"])},
    optional={"rate": st.sampled_from(["5/s", "6/s"]), "failures": st.sampled_from(["0%", "1%", "100%"])},
)
SCENARIOS = st.fixed_dictionaries(
    {
        "locustfile": st.sampled_from(["a.py", "b.py"]),
        "users": st.dictionaries(st.sampled_from(["A", "B"]), st.integers(1, 3), min_size=1),
        "spawn_rate": st.sampled_from([1, 1.0, 2]),
        "limits": st.dictionaries(ENDPOINTS, BOUNDS, min_size=1),
    },
    optional={
        "accept": st.dictionaries(
            ENDPOINTS.filter(lambda name: name != "all"),
            st.lists(st.sampled_from([404, 409]), min_size=1, unique=True),
        ),
        "expected": st.lists(st.sampled_from(["GET /a", "POST /b"]), unique=True),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
        "tags": st.lists(st.sampled_from(["fast", "slow"]), min_size=1, unique=True),
        "host": st.sampled_from(["h:1", "h:2"]),
        "regression": st.dictionaries(
            st.sampled_from(["p50", "rate"]), st.sampled_from(["5%", "10%"]), min_size=1
        ),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "schema": st.just(1),
        "service": st.one_of(
            st.just({"url": "http://shop"}),
            st.fixed_dictionaries({"image": st.just("shop")}, optional={"cpus": st.integers(1, 2)}),
        ),
        "profiles": st.dictionaries(
            st.sampled_from(["quick", "full"]),
            st.fixed_dictionaries({"duration": st.sampled_from(["1s", "1000ms", "2s"])}),
            min_size=1,
        ),
        "scenarios": st.dictionaries(st.sampled_from(["one", "two"]), SCENARIOS, min_size=1),
    },
    optional={"on_inconclusive": st.sampled_from(["warn", "block"])},
)


def shuffled(document, draw):
    if isinstance(document, dict):
        keys = draw(st.permutations(sorted(document)))
        return {key: shuffled(document[key], draw) for key in keys}
    return document


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_loosened__is_the_inverse_of_tightened(old, new):
    there = compare_thresholds(parse(old), parse(new))
    back = compare_thresholds(parse(new), parse(old))
    undone = [(INVERSE[effect], *key, new, old) for effect, *key, old, new in describe(there)]
    assert sorted(map(repr, describe(back))) == sorted(map(repr, undone))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_order_of_keys__does_not_matter(data):
    document = data.draw(DOCUMENTS)
    again = shuffled(document, data.draw)
    assert compare_thresholds(parse(document), parse(again)) == ()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changes__come_in_one_order_whatever_the_order_of_keys(data):
    old, new = data.draw(DOCUMENTS), data.draw(DOCUMENTS)
    again = shuffled(new, data.draw)
    first = compare_thresholds(parse(old), parse(new))
    assert describe(first) == describe(compare_thresholds(parse(old), parse(again)))
    effects = [change.direction for change in first]
    assert effects == sorted(effects, key=["loosened", "changed", "tightened"].index)


def test_credentials__of_an_address_are_not_shown_and_their_change_is():
    old, new = (
        parse(edit("service", "env", to={"DB": f"postgres://me:{word}@db"})) for word in ("one", "two")
    )
    (change,) = compare_thresholds(old, new)
    assert (change.setting, change.old, change.new) == ("service env DB", *["postgres://***@db"] * 2)


@pytest.mark.parametrize(
    ("key", "value", "setting", "new"),
    [
        ("locustfile", ["load/checkout.py", "load/more/"], "locustfile", "load/checkout.py,load/more/"),
        ("env", {"TENANT": "acme"}, "env TENANT", "acme"),
        ("args", ["--tenant", "a b"], "args", "--tenant 'a b'"),
        ("tags", ["fast"], "tags", "fast"),
        ("exclude_tags", ["slow"], "exclude_tags", "slow"),
        ("host", "127.0.0.1:{port}", "host", "127.0.0.1:{port}"),
        ("directory", "load/", "directory", "load"),
    ],
)
def test_settings_of_locust__are_a_change_that_is_not_known(key, value, setting, new):
    edited = parse(edit("scenarios", "checkout", key, to=value))
    (change,) = compare_thresholds(parse(DOCUMENT), edited)
    assert (change.scenario, change.setting, change.new) == ("checkout", setting, new)
    assert change.direction == "changed"
    (back,) = compare_thresholds(edited, parse(DOCUMENT))
    assert back.direction == "changed"


def test_shape__in_place_of_users_is_a_change_and_what_it_replaces_is_removed():
    shaped = copy.deepcopy(DOCUMENT)
    checkout = shaped["scenarios"]["checkout"]
    del checkout["users"], checkout["spawn_rate"]
    checkout["shape"] = "Spike"
    changes = {change.setting: change for change in compare_thresholds(parse(DOCUMENT), parse(shaped))}
    assert {name: change.direction for name, change in changes.items()} == {
        "users Buyer": "loosened",
        "users Reader": "loosened",
        "spawn_rate": "changed",
        "shape": "changed",
    }
    assert changes["shape"].new == "Spike"


@pytest.mark.parametrize("processes", [4, "auto"])
def test_processes_of_the_generator__are_another_load(processes):
    document = {**DOCUMENT, "scenarios": {"burst": DOCUMENT["scenarios"]["burst"]}}
    (change,) = compare_thresholds(
        parse(document), parse({**document, "generator": {"processes": processes}})
    )
    assert (change.setting, change.old, change.new) == ("generator processes", "1", str(processes))
    assert change.direction == "changed"
