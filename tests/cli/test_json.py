"""--format json: one document, of the schema that `ci-gate schema` prints; nothing else on stdout."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from ci_gate import errors
from ci_gate.cli.main import cli
from ci_gate.cli.schema import DOCUMENTS, render_schema
from ci_gate.judge.history.record import encode_history
from ci_gate.judge.validity.rules import RULES
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from tests.judge.histories import make_history
from tests.judge.test_history import raised, scatter
from tests.report.examples import EXAMPLES
from tests.report.verdicts import scenario, verdict

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
SCHEMA_FILE = ROOT / "docs" / "schemas" / "verdict.schema.json"


def validate(name, text):
    """The document, which is one of that name."""
    document = json.loads(text)
    Draft202012Validator(json.loads(render_schema(name))).validate(document)
    return document


def test_schema__in_docs_is_that_of_the_types():
    """After a change of them: ci-gate schema verdict > docs/schemas/verdict.schema.json."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == render_schema("verdict")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema__is_one(name, call):
    code, text, _ = call("schema", name)
    assert code == 0
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    assert "\\Z" not in text
    assert schema["$defs"][DOCUMENTS[name][0].__name__]["properties"]["schema"] == {
        "const": DOCUMENTS[name][1]
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_schema__fits_every_verdict(name):
    validate("verdict", encode_verdict(EXAMPLES[name].verdict))


@pytest.mark.parametrize("forged", [{"schema": 1}, {"outcome": "GREEN"}, {"more": 1}, {"blocks": "no"}])
def test_schema__refuses_what_is_no_verdict(forged):
    document = json.loads(encode_verdict(verdict())) | forged
    assert list(Draft202012Validator(json.loads(render_schema("verdict"))).iter_errors(document))


def test_page__names_the_document_of_every_command_that_takes_the_format():
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    takes = {
        name
        for name, command in commands.items()
        for option in command.params
        if "--format" in option.opts and "json" in option.type.choices
    }
    rows = re.findall(r"^\| (`.*`)[^|]* \| `(\w+)`", PAGE, re.MULTILINE)
    named = {name for cell, _ in rows for name in re.findall(r"`([a-z-]+)`", cell)}
    assert named >= takes
    assert {document for _, document in rows if document in DOCUMENTS} >= {*DOCUMENTS} - {"error", "history"}


# ---- What commands print


def test_run_and_judge__print_the_verdict_that_they_write(repository, call, tmp_path):
    out = tmp_path / "out"
    code, text, log = call("run", "--thresholds", repository.thresholds, "--out", out, "--format", "json")
    assert code == 0, log
    printed = validate("verdict", text)
    assert printed == json.loads((out / "verdict.json").read_text())
    assert printed["scenarios"][0]["environment"]["locust"]
    assert "evidence, verdict.json and the reports" in log
    assert validate("verdict", call("judge", out, "--format", "json")[1]) == printed


def test_check__prints_what_the_users_offer(repository, call):
    code, text, _ = call("check", "--thresholds", repository.thresholds, "--format", "json")
    assert code == 0
    document = validate("check", text)
    assert document["scenarios"][0]["name"] == "visits"
    assert document["scenarios"][0]["users"] == 5


def test_error__has_each_mistake_with_its_place(call, tmp_path):
    file = tmp_path / "thresholds.yaml"
    file.write_text("schema: 9\n")
    code, text, log = call("check", "--thresholds", file, "--format", "json")
    document = validate("error", text)
    assert code == document["exit_code"] == 2
    assert [(each["line"], each["column"]) for each in document["problems"]][-1] == (1, 9)
    assert "'schema' cannot be 9" in log


def test_error__is_no_document_where_none_was_asked_for(call, tmp_path):
    assert call("check", "--thresholds", tmp_path / "none.yaml")[1] == ""


def test_error__of_a_folder_that_is_no_evidence(call, tmp_path):
    code, text, _ = call("judge", tmp_path, "--format", "json")
    assert code == validate("error", text)["exit_code"] == 2


def test_error__of_a_disk_that_cannot_be_written(call, tmp_path):
    (tmp_path / "out").write_text("a file")
    file = tmp_path / "history.json"
    file.write_bytes(encode_history(make_history(scatter())))
    arguments = ("history", file, "--repository", tmp_path, "--out", tmp_path / "out" / "below")
    code, text, _ = call(*arguments, "--format", "json")
    assert code == validate("error", text)["exit_code"] == 4


def test_error__of_an_interrupt(call, tmp_path, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ci_gate.cli.history.judge_history", interrupt)
    file = tmp_path / "history.json"
    file.write_bytes(encode_history(make_history(scatter())))
    code, text, _ = call("history", file, "--repository", tmp_path, "--out", tmp_path, "--format", "json")
    document = validate("error", text)
    assert (code, document["exit_code"], document["error"]) == (3, 3, "interrupted")


def test_history__prints_what_is_worse(call, tmp_path):
    file = tmp_path / "history.json"
    file.write_bytes(encode_history(make_history(raised(scatter(), 19, 1.2))))
    validate("history", file.read_bytes())
    code, text, _ = call(
        "history", file, "--repository", tmp_path, "--out", tmp_path / "out", "--format", "json"
    )
    assert code == 0
    document = validate("trends", text)
    assert [(each["metric"], each["commits"]) for each in document["worse"]] == [("p95", 41)]
    assert document["changes"][0]["first"] == document["worse"][0]["since"]


def test_report__prints_the_verdict(call, tmp_path):
    hostile = verdict(scenario("\x1b[31m \u202e ##[error] caf\u00e9"))
    (tmp_path / "verdict.json").write_bytes(encode_verdict(hostile))
    _, text, _ = call("report", tmp_path / "verdict.json", "--format", "json")
    assert decode_verdict(text.encode()) == hostile


def test_json__has_no_character_that_a_terminal_or_a_runner_obeys(call, tmp_path):
    """And says the same: what is cleaned from other output stands escaped."""
    name = "\u202e ##[error] caf\u00e9 \u2028"
    file = tmp_path / "history.json"
    file.write_bytes(encode_history(make_history(raised(scatter(), 19, 1.2), scenario=name)))
    _, text, _ = call(
        "history", file, "--repository", tmp_path, "--out", tmp_path / "out", "--format", "json"
    )
    assert text.isascii()
    assert "##[" not in text
    assert json.loads(text)["worse"][0]["scenario"] == name


# ---- The tables of codes


def test_page__has_every_exit_code():
    rows = re.findall(r"^\| (\d+) \| ([\w ]+) \|", PAGE, re.MULTILINE)
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert {int(code) for code, _ in rows} == codes


def test_page__has_every_code_of_a_finding_and_no_other():
    table = dict(re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert {*table} == {*find_codes()}
    for rule in RULES:
        assert table[rule.code] == rule.severity, rule.code
        assert f"| `{rule.code}` | {rule.severity} | {rule.meaning.replace('|', chr(92) + '|')} |" in PAGE
    assert list(table) == sorted(table)


def find_codes():
    """What the source gives a finding or a rule as its code, read from the calls."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "ci_gate").rglob("*.py")]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            given = [each.value for each in node.keywords if each.arg == "code"]
            given += node.args[:1] if node.func.id == "_make_invalid" else []
            if node.func.id not in {"Finding", "Rule", "_make_invalid"}:
                continue
            for value in given:
                if isinstance(value, ast.Constant):
                    yield value.value
                elif isinstance(value, ast.Name) and value.id in constants:
                    yield constants[value.id]
