"""Walks tests/thresholds: ok/ parses, err/ gives exactly the Problems that its first lines name.

The name of a file in err/ says who refuses it: yaml- the reader, schema- the JSON Schema too, rule- the
parser alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ci_gate.errors import BadInputError
from ci_gate.thresholds import parse_thresholds, schema_text
from ci_gate.thresholds.yaml.source import read_yaml

FOLDER = Path(__file__).parent
OK = sorted((FOLDER / "ok").glob("*.yaml"))
ERR = sorted((FOLDER / "err").glob("*.yaml"))
EXPECTATION = re.compile(r"# expect: (\d+):(\d+) (.+)")


def is_valid_by_schema(path):
    data = read_yaml(path.read_text(encoding="utf-8"), path.name).data
    return Draft202012Validator(json.loads(schema_text())).is_valid(data)


@pytest.mark.parametrize("path", OK, ids=lambda path: path.stem)
def test_ok_file__parses_and_suits_the_schema(path):
    assert parse_thresholds(path.read_text(encoding="utf-8"), path.name).scenarios
    assert is_valid_by_schema(path)


@pytest.mark.parametrize("path", ERR, ids=lambda path: path.stem)
def test_err_file__has_exactly_the_problems_it_names(path):
    text = path.read_text(encoding="utf-8")
    expected = [(int(line), int(column), words) for line, column, words in EXPECTATION.findall(text)]
    with pytest.raises(BadInputError) as caught:
        parse_thresholds(text, path.name)
    problems = caught.value.problems
    assert [(problem.line, problem.column) for problem in problems] == [place[:2] for place in expected]
    for problem, (*_, words) in zip(problems, expected, strict=True):
        assert words in str(problem)
        assert problem.file == path.name


@pytest.mark.parametrize(
    "path", [path for path in ERR if not path.stem.startswith("yaml-")], ids=lambda path: path.stem
)
def test_err_file__is_refused_by_the_schema_unless_only_a_rule_is_broken(path):
    is_rule = path.stem.startswith("rule-") and path.stem != "rule-beside-shape"
    assert is_valid_by_schema(path) is is_rule


def test_folders__are_not_empty():
    assert len(OK) >= 5
    assert {path.stem.partition("-")[0] for path in ERR} == {"yaml", "schema", "rule"}
