"""The shipped JSON Schema and the parser agree: editors say no exactly where the parser does."""

from __future__ import annotations

import copy
import json
import re
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ci_gate.errors import BadInputError
from ci_gate.judge.changes.threshold_changes import compare_thresholds
from ci_gate.service.start import STARTERS
from ci_gate.thresholds import SERVICE_KINDS, parse_thresholds, schema_text
from ci_gate.thresholds.rules import find_rule_problems
from ci_gate.thresholds.shape import find_shape_problems
from ci_gate.thresholds.yaml.source import read_yaml

SCHEMA = json.loads(schema_text())
VALIDATOR = Draft202012Validator(SCHEMA)
OK = Path(__file__).parent / "ok"
DOCUMENTS = [
    read_yaml(path.read_text(encoding="utf-8"), path.name).data for path in sorted(OK.glob("*.yaml"))
]

HOSTILE = st.one_of(
    st.sampled_from(
        [
            None, True, 0, -1, 1, 1.0, 10**38, 0.5, "", " ", "1s", "0s", "10", "10%", "0%", "101%",
            "5/s", "0/s", "1GiB",
            "200 ms", "all", "GET /x", "get /x", "GET  /x", "/x", "/", "x.py", "../x.py", "a/../x.py",
            "a//x.py", "x",
            "{port}", "{prot}", "${A}", "${", "http://h", "http://h:99999", "http://[", "warn", "block",
            "it's",
            [], {}, [404], [404, 404], [399], ["GET /x"], {"all": {"p50": "1s"}}, {"a": 1}, {"A": "1"},
            {"failures": "1%"},
        ]
    ),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=6),
    st.integers(-(10**38), 10**38),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(
        [
            "schema", "service", "command", "image", "url", "limits", "users", "accept", "expected",
            "env", "memory",
            "p50", "p99.90", "p100", "p0.01", "p100.5", "rate", "failures", "successes", "all",
            "GET /x", "a-b", "A", "a b",
        ]
    ),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=6),
)  # fmt: skip


def find_defaults(schema, path):
    """The path and value of each default below ``schema``, which describes what stands at ``path``."""
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner:
            yield (*path, key), inner["default"]
        yield from find_defaults(inner, (*path, key))


DEFAULTS = [
    *find_defaults(SCHEMA, ()),
    *find_defaults(SCHEMA["$defs"]["service"], ("service",)),
    *find_defaults(SCHEMA["$defs"]["profile"], ("profiles", "quick")),
    *find_defaults(SCHEMA["$defs"]["scenario"], ("scenarios", "burst")),
]


@pytest.mark.parametrize(("path", "value"), DEFAULTS, ids=str)
def test_default__that_editors_show_is_the_parsers(path, value):
    data = yaml.safe_load((OK / "minimal.yaml").read_text(encoding="utf-8"))
    data["scenarios"]["burst"]["regression"] = {"p50": "10%"}
    data["service"]["needs"] = {"compose": "compose.yaml", "services": ["db"]}
    before = parse_thresholds(yaml.safe_dump(data), "t.yaml")
    place = data
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    after = parse_thresholds(yaml.safe_dump(data), "t.yaml")
    assert before.sha256 != after.sha256
    assert compare_thresholds(before, after) == ()


def containers(value):
    """Every mapping and list inside ``value``."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


def change_numbers(draw, document):
    """Most often the document stays a good one."""
    for container in containers(document):
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(value, int | float) and key != "schema":
                container[key] = draw(st.sampled_from([value, value + 1, value / 2]))
            elif isinstance(value, str) and (match := re.fullmatch(r"[0-9.]+(ms|s|m|h|%|/s|[KMG]iB)", value)):
                container[key] = draw(st.from_regex(r"\A[0-9]{1,2}(\.[0-9]{1,3})?\Z")) + match[1]


@st.composite
def documents(draw):
    """A good document with other numbers, or after up to three changes that seldom leave it good."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    if draw(st.booleans()):
        change_numbers(draw, document)
        return document
    for _ in range(draw(st.integers(0, 3))):
        container = draw(st.sampled_from(list(containers(document))))
        if isinstance(container, list):
            container.append(copy.deepcopy(draw(HOSTILE)))
        elif container and draw(st.booleans()):
            key = draw(st.sampled_from(sorted(container)))
            container[key] = copy.deepcopy(draw(HOSTILE))
        elif container and draw(st.booleans()):
            value = container.pop(draw(st.sampled_from(sorted(container))))
            if draw(st.booleans()):
                container[draw(KEYS)] = value
        else:
            container[draw(KEYS)] = copy.deepcopy(draw(HOSTILE))
    return document


def is_refused(text):
    try:
        parse_thresholds(text, "t.yaml")
    except BadInputError:
        return True
    return False


@settings(max_examples=400)
@given(document=documents())
def test_parser_and_schema__agree_on_any_document(document):
    text = json.dumps(document, ensure_ascii=False)
    source = read_yaml(text, "t.yaml")
    assert source.data == document
    shape_problems, wrong = find_shape_problems(source)
    assert VALIDATOR.is_valid(document) is (not shape_problems)
    rule_problems = find_rule_problems(source.without(wrong).root())
    assert is_refused(text) is bool(shape_problems or rule_problems)


def test_schema__is_a_valid_one():
    Draft202012Validator.check_schema(SCHEMA)


def test_schema__is_shipped_in_the_package():
    assert resources.files("ci_gate.thresholds").joinpath("thresholds.schema.json").is_file()


def schemas_in(schema, path=()):
    """Every schema that can refuse a value, with its path."""
    if isinstance(schema, dict):
        if {"type", "const", "enum", "$ref"} & set(schema):
            yield path, schema
        for key, inner in schema.items():
            yield from schemas_in(inner, (*path, key))


ALL_SCHEMAS = [pytest.param(schema, id="/".join(path) or "root") for path, schema in schemas_in(SCHEMA)]


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_schema__says_in_words_what_it_allows(schema):
    assert "description" in schema or "$ref" in schema


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_schema__takes_its_own_examples(schema):
    if "pattern" in schema:
        assert schema["pattern"].startswith("^")
        assert schema["pattern"].endswith("$")
        assert all(re.search(schema["pattern"], example) for example in schema.get("examples", ()))


def test_service__every_kind_of_the_schema_can_be_started():
    kinds = [each["required"] for each in SCHEMA["$defs"]["service"]["oneOf"]]
    assert kinds == [[kind] for kind in SERVICE_KINDS]
    assert set(STARTERS) == set(SERVICE_KINDS)


@pytest.mark.parametrize("schema", ALL_SCHEMAS)
def test_schema__closes_every_mapping(schema):
    if schema.get("type") == "object":
        assert schema.get("additionalProperties") is False or "propertyNames" in schema


@pytest.mark.parametrize(("value", "line"), [("300ms\\n", 12), ("300ms\\r\\n", 12)])
def test_pattern__ends_at_the_very_end_as_in_editors(value, line):
    text = (OK / "minimal.yaml").read_text(encoding="utf-8").replace("300ms", f'"{value}"')
    with pytest.raises(BadInputError) as caught:
        parse_thresholds(text, "t.yaml")
    assert [problem.line for problem in caught.value.problems] == [line]


@pytest.mark.parametrize("name", ["service", "profiles", "scenarios"])
def test_wrong_type_of_a_whole_section__is_one_problem(name):
    for value in ("5", "[]", "[a]", "text", "true", "{}"):
        rest = {
            "service": {"url": "http://h"},
            "profiles": {"q": {"duration": "1s"}},
            "scenarios": DOCUMENTS[0]["scenarios"],
        }
        del rest[name]
        text = f"schema: 1\n{name}: {value}\n" + "".join(
            f"{key}: {json.dumps(inner)}\n" for key, inner in rest.items()
        )
        with pytest.raises(BadInputError) as caught:
            parse_thresholds(text, "t.yaml")
        assert [problem.line for problem in caught.value.problems] == [2]
