"""Edits in place: the data is as asked, and whatever was not asked for stays as it is written."""

from __future__ import annotations

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.thresholds.yaml.edit import Note, edit_yaml
from ci_gate.thresholds.yaml.source import read_yaml

TEXT = """\
# first
limits:
  # of all
  all: {p50: 200ms, failures: 1%}  # a reason
  GET /a:
    p95: 300ms  # measured once
    rate: 5/s

  # GET /later: {p95: 1s}
regression: {p50: 10%}
"""


def read(text):
    return read_yaml(text, "x.yaml").data


def edit(text, changes, notes=None):
    """``text`` with the values at these paths put in."""
    before = read(text)
    after = copy.deepcopy(before)
    for path, value in changes.items():
        inside = after
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = value
    new = edit_yaml(text, before, after, notes)
    assert read(new) == after
    return new


def note(text, head="was"):
    return Note(head=head, text=text)


def added(old, new):
    """The lines that are new, and the ones that are gone."""
    before, after = old.splitlines(), new.splitlines()
    return [line for line in after if line not in before], [line for line in before if line not in after]


def test_edit__nothing_changes_nothing():
    assert edit(TEXT, {}) == TEXT


def test_edit__a_key_in_braces_stands_behind_the_last_with_its_note_above_the_line():
    notes = {("limits", "all", "p95"): [note("187 ms")]}
    new = edit(TEXT, {("limits", "all", "p95"): "300ms"}, notes)
    assert added(TEXT, new) == (
        ["  # p95: was 187 ms", "  all: {p50: 200ms, failures: 1%, p95: 300ms}  # a reason"],
        ["  all: {p50: 200ms, failures: 1%}  # a reason"],
    )
    assert new.splitlines().index("  # p95: was 187 ms") == 3


def test_edit__a_new_mapping_stands_below_the_last_one_with_notes_beside_its_values():
    path = ("limits", "GET /b/{id}")
    new = edit(
        TEXT,
        {path: {"p95": "34ms", "p50": "9ms"}},
        {(*path, "p95"): [note("23 ms")], ("limits",): [note("x", "TODO p95:")]},
    )
    lines, gone = added(TEXT, new)
    assert lines == ["  GET /b/{id}:", "    p95: 34ms  # was 23 ms", "    p50: 9ms", "  # TODO p95: x"]
    assert gone == []
    assert new.splitlines()[7] == "  GET /b/{id}:"


def test_edit__a_value_that_changes_keeps_what_stands_beside_it():
    new = edit(TEXT, {("limits", "GET /a", "p95"): "250ms"}, {("limits", "GET /a", "p95"): [note("again")]})
    assert "    # was again\n    p95: 250ms  # measured once\n" in new
    new = edit(TEXT, {("limits", "GET /a", "rate"): "7/s"}, {("limits", "GET /a", "rate"): [note("again")]})
    assert "    rate: 7/s  # was again\n" in new


def test_edit__into_braces_inside_braces():
    text = "limits: {all: {failures: 1%}}\n"
    new = edit(
        text, {("limits", "GET /b/{id}"): {"p95": "34ms"}}, {("limits", "GET /b/{id}", "p95"): [note("x")]}
    )
    assert new == '# GET /b/{id} p95: was x\nlimits: {all: {failures: 1%}, "GET /b/{id}": {p95: 34ms}}\n'


def test_edit__at_the_end_of_a_text_without_a_last_line_break():
    assert edit("a:\n  b: 1ms", {("a", "c"): "2ms"}) == "a:\n  b: 1ms\n  c: 2ms\n"


def test_edit__an_alias_is_written_out_only_where_its_value_differs():
    text = "a: &x {p50: 1ms}\nb: *x\nc: *x\nd: &y {p50: 2ms}\ne: *y\n"
    new = edit(text, {("b", "p95"): "3ms"})
    assert new == text.replace("b: *x", 'b: {"p50": "1ms", "p95": "3ms"}')
    new = edit(text, {("a", "p95"): "3ms"})
    assert 'b: {"p50": "1ms"}' in new
    assert "e: *y" in new


def test_edit__a_note_on_a_text_of_several_lines_stands_above_its_key():
    new = edit("a:\n  b: >-\n    50/s\n  c: 1ms\n", {("a", "b"): "60/s"}, {("a", "b"): [note("why")]})
    assert new == "a:\n  # was why\n  b: >-\n    60/s\n  c: 1ms\n"


METRICS = st.sampled_from(["p50", "p95", "rate"])
VALUES = st.sampled_from(["1ms", "20%", "5/s"])
ENDPOINTS = st.sampled_from(["all", "GET /a", "POST /b/{id}: ü", "GET /'\"#", "X - y"])
LIMITS = st.dictionaries(ENDPOINTS, st.dictionaries(METRICS, VALUES, min_size=1), min_size=1)


@given(
    before=st.dictionaries(st.sampled_from("abc"), LIMITS, min_size=1),
    more=st.dictionaries(st.sampled_from("abc"), LIMITS),
    style=st.sampled_from([True, False, None]),
    noted=st.booleans(),
)
def test_edit__any_additions_and_replacements(before, more, style, noted):
    text = yaml.safe_dump(before, default_flow_style=style, allow_unicode=True, width=1000, sort_keys=False)
    text = "".join(f"{line}\n# c{number}\n" for number, line in enumerate(text.splitlines()))
    after, notes = copy.deepcopy(before), {}
    for name, limits in more.items():
        for endpoint, bounds in limits.items():
            after.setdefault(name, {}).setdefault(endpoint, {}).update(bounds)
            notes.update({(name, endpoint, metric): [note(f"{name} {metric}")] for metric in bounds})
    new = edit_yaml(text, before, after, notes if noted else None)
    assert read(new) == after
    for number in range(text.count("# c")):
        assert f"# c{number}\n" in new


@pytest.mark.parametrize("text", ["a: {b: 1ms,}\n", "a: {\n  b: 1ms  # c\n}\n", "a: {b: 1ms , }\n"])
def test_edit__behind_the_last_of_braces_however_they_end(text):
    assert read(edit(text, {("a", "c"): "2ms"})) == {"a": {"b": "1ms", "c": "2ms"}}


def test_note__takes_the_place_of_the_one_of_before():
    beside = ("limits", "GET /b", "p95")
    above = ("limits", "all", "p95")
    at_end = ("limits",)
    first = edit(
        TEXT,
        {beside[:2]: {"p95": "1ms"}, above: "2ms"},
        {beside: [note("1")], above: [note("2")], at_end: [note("3", "TODO x:"), note("4", "TODO y:")]},
    )
    notes = {beside: [note("5")], above: [note("6")], at_end: [note("7", "TODO x:"), note("", "TODO y:")]}
    second = edit(first, {beside: "8ms", above: "9ms"}, notes)
    assert added(first, second) == (
        [
            "  # p95: was 6",
            "  all: {p50: 200ms, failures: 1%, p95: 9ms}  # a reason",
            "    p95: 8ms  # was 5",
            "  # TODO x: 7",
        ],
        [
            "  # p95: was 2",
            "  all: {p50: 200ms, failures: 1%, p95: 2ms}  # a reason",
            "    p95: 1ms  # was 1",
            "  # TODO x: 3",
            "  # TODO y: 4",
        ],
    )
    assert "# of all" in second
    assert "# GET /later" in second


def test_note__at_the_first_line_and_the_last():
    text = "# was 1\na: {b: 1ms}\n# TODO 2"
    new = edit(text, {("a", "b"): "3ms"}, {("a", "b"): [note("x")], (): [note("4", "TODO")]})
    assert new == "# was 1\n# b: was x\na: {b: 3ms}\n# TODO 4\n"
    assert edit("# b: was 1\na: {b: 1ms}", {("a", "b"): "3ms"}, {("a", "b"): [note("x")]}) == (
        "# b: was x\na: {b: 3ms}"
    )
