from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.errors import BadInputError
from ci_gate.thresholds.yaml.nodes import (
    MAX_BAD_CHARACTERS,
    MAX_DEPTH,
    MAX_NODES,
    MAX_NUMBER_LENGTH,
    MAX_TEXT_BYTES,
)
from ci_gate.thresholds.yaml.source import Position, read_yaml

PLAIN_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=8)
# JSON has no 40-digit floats, and YAML no way to tell them from too long a number.
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e9, 1e9, width=32) | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_TEXT, inner, max_size=4),
    max_leaves=20,
)


def problems_of(text):
    with pytest.raises(BadInputError) as caught:
        read_yaml(text, "f.yaml")
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in caught.value.problems]


def at(line, column):
    return Position(line=line, column=column)


def test_read_yaml__gives_data_and_positions():
    source = read_yaml("a: 1\nb:\n  - x\n  - {c: 'd'}\n", "f.yaml")
    assert source.data == {"a": 1, "b": ["x", {"c": "d"}]}
    assert source.problems == ()
    assert source.key_at == {("a",): at(1, 1), ("b",): at(2, 1), ("b", 1, "c"): at(4, 6)}
    assert source.value_at == {
        (): at(1, 1),
        ("a",): at(1, 4),
        ("b",): at(3, 3),
        ("b", 0): at(3, 5),
        ("b", 1): at(4, 5),
        ("b", 1, "c"): at(4, 9),
    }


@given(value=JSON_VALUES)
def test_read_yaml__reads_json_as_json(value):
    assert read_yaml(json.dumps(value, ensure_ascii=False), "f.yaml").data == value


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "~"])
def test_read_yaml__empty_text_is_none_at_its_start(text):
    source = read_yaml(text, "f.yaml")
    assert source.data is None
    assert source.value_at[()].column == 1


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("010", 10),
        ("0o10", 8),
        ("0x1f", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ('"null"', "null"),
        ('"\\u0041"', "A"),
        ("=", "="),
        ("٣", "٣"),
    ],
)
def test_plain_scalar__means_what_yaml_1_2_says(scalar, value):
    read = read_yaml(f"[{scalar}, x]" if scalar else "- \n- x", "f.yaml").data[0]
    assert (read, type(read)) == (value, type(value))


def test_keys__are_text_whatever_they_look_like():
    assert read_yaml("{404: a, null: b, true: c, 1.0: d}", "f.yaml").data == {
        "404": "a",
        "null": "b",
        "true": "c",
        "1.0": "d",
    }


def test_quoted_merge_key__is_a_key():
    assert read_yaml("'<<': 1", "f.yaml").data == {"<<": 1}


def test_byte_order_mark__moves_nothing():
    assert read_yaml("\ufeffa: 1", "f.yaml").key_at == {("a",): at(1, 1)}


def test_alias__stands_where_its_anchor_stands():
    source = read_yaml("a: &x {b: 1}\nc: *x\n", "f.yaml")
    assert source.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert source.key_at["c", "b"] == source.key_at["a", "b"] == at(1, 8)
    assert source.key_at[("c",)] == at(2, 1)


def test_duplicate_key__keeps_the_first_and_points_at_it():
    source = read_yaml("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert source.data == {"a": 1, "b": 2}
    (problem,) = source.problems
    assert str(problem) == (
        "f.yaml:3:1: key 'a' stands twice; first at line 1, column 1 (allowed: each key once)"
    )


def test_problems_that_do_not_stop_the_reading__are_all_kept():
    source = read_yaml(
        'a: !!python/name:os.system x\nb: .nan\n<<: {c: 1}\n[d]: 1\n"\\0": 1\ne: "\\0"\n', "f.yaml"
    )
    assert source.data == {"a": "x", "b": None, "e": None}
    assert [(problem.line, problem.column) for problem in source.problems] == [
        (1, 4), (2, 4), (3, 1), (4, 1), (5, 1), (6, 4)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "U+0000"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\u2028", "U+2028"),
        ("\u202e", "U+202E"),
        ("\u2066", "U+2066"),
        ("\ud800", "U+D800"),
        ("\uffff", "U+FFFF"),
    ],
)
def test_bad_character__is_named_where_it_stands_even_in_a_comment(character, name):
    assert problems_of(f"a: 1\nb: 2 # {character}\n") == [f"2:8 character {name} is invisible or unprintable"]


def test_bad_characters__of_a_binary_file_are_not_all_listed():
    assert len(problems_of("\x00" * 1000)) == MAX_BAD_CHARACTERS


@pytest.mark.parametrize("character", ["\u00e4", "\u4e2d", "\U0001f600", "\u00a0", "\u200d", "\u0645"])
def test_visible_characters__of_any_script_are_read(character):
    assert read_yaml(f"a: x{character}x", "f.yaml").data == {"a": f"x{character}x"}


@pytest.mark.parametrize(
    ("within", "beyond", "words"),
    [
        ("#" * MAX_TEXT_BYTES, "#" * (MAX_TEXT_BYTES + 1), "1:1 the file is too large"),
        ("#" + "ä" * (MAX_TEXT_BYTES // 2 - 1), "#" + "ä" * (MAX_TEXT_BYTES // 2), "the file is too large"),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "nested too deep"),
        (
            f"[{'1,' * (MAX_NODES - 1)}]",
            f"[{'1,' * MAX_NODES}]",
            f"1:{2 * MAX_NODES} the file holds too many values",
        ),
        ("1" * MAX_NUMBER_LENGTH, None, ""),
    ],
    ids=["bytes", "bytes of long characters", "depth", "nodes", "number"],
)
def test_cap__holds_exactly(within, beyond, words):
    assert read_yaml(within, "f.yaml").problems == ()
    if beyond is not None:
        (problem,) = problems_of(beyond)
        assert problem.endswith(words)


def test_long_number__is_a_problem():
    (problem,) = read_yaml(f"a: {'1' * (MAX_NUMBER_LENGTH + 1)}", "f.yaml").problems
    assert problem.message == "a number is too long"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&a [*a]", "refers to the value itself"),
        ("a: &a {b: {c: *a}}", "refers to the value itself"),
        ("a: &a [" + "1," * 200 + "]\nb: [" + "*a," * 200 + "]", "too many values once aliases are expanded"),
        ("a: &a " + "x" * 3000 + "\nb: [" + "*a," * 100 + "]", "too large once aliases are expanded"),
        (
            "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 30 + "*a" + "]" * 30,
            "too deep once aliases are expanded",
        ),
    ],
    ids=["itself", "its parent", "values", "characters", "depth"],
)
def test_aliases__count_as_if_written_out(text, words):
    (problem,) = problems_of(text)
    assert words in problem


def test_syntax_message__stays_short():
    (problem,) = problems_of(f"a: *{'x' * 100_000}\n")
    assert len(problem) < 300


@pytest.mark.parametrize(
    "text", ["%YAML " + "9" * 5000 + ".1\n---\na", '"\\UFFFFFFFF"', "!<%FF> a", "%TAG ! x\na"]
)
def test_what_pyyaml_stumbles_over__is_a_problem(text):
    assert problems_of(text)


def test_without__puts_nothing_in_the_place_of_values():
    source = read_yaml("a: {b: 1, c: [1, 2]}\nd: 3", "f.yaml")
    assert source.without({("a", "b"), ("a", "c", 0)}).data == {"a": {"b": None, "c": [None, 2]}, "d": 3}
    assert source.without({()}).data is None


def test_section__reads_mappings_and_takes_anything_else_for_an_empty_one():
    root = read_yaml("a:\n  b: {c: 1}\n  d: 2\n  e:\n", "f.yaml").root()
    a = root.section("a")
    assert (a.name, a.at, a.get("d"), a.get("e", 9), a.get("f", 8)) == ("a", at(1, 1), 2, 9, 8)
    assert [section.name for section in root.sections("a")] == ["b", "d", "e"]
    assert list(a.items("b")) == [("c", 1, at(2, 7))]
    assert list(a.items("d")) == list(a.items("nowhere")) == []
    assert re.fullmatch(r"f.yaml:2:6: m \(allowed: x\)", str(a.value_problem("b", "m", "x")))
    assert str(a.problem("b", "m")) == "f.yaml:2:3: m"
