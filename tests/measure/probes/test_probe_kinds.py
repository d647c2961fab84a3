"""The rows of the registry against the probes, the schema of thresholds.yaml, the charts and the document."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import psycopg
import pytest

from ci_gate.evidence.probe_kinds import PROBE_KINDS
from ci_gate.thresholds.shape import schema_text

ADDRESSED = {kind.name: kind for kind in PROBE_KINDS if kind.schemes}
SCHEMA = json.loads(schema_text())
DOCUMENT = (Path(__file__).parents[3] / "docs" / "probes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", PROBE_KINDS, ids=lambda kind: kind.name)
def test_kind__charts_what_it_reads_and_is_documented(kind):
    read = [*kind.gauges, *kind.counters]
    assert len(set(read)) == len(read)
    assert {line.value for chart in kind.charts for line in chart.lines} <= set(read)
    assert [name for name in (kind.name, *read) if f"`{name}`" not in DOCUMENT] == []


def test_kinds__with_an_address_are_those_of_thresholds_yaml():
    assert {*SCHEMA["$defs"]["probes"]["properties"]} == {*ADDRESSED, "metrics"}
    (service,) = (kind for kind in PROBE_KINDS if not kind.schemes)
    assert {*SCHEMA["$defs"]["metrics"]["properties"]} == {"path", *service.gauges, *service.counters}


def test_kinds__charts_are_groups_of_their_own():
    groups = [chart.group for kind in PROBE_KINDS for chart in kind.charts]
    assert len(set(groups)) == len(groups)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ADDRESSED],
)
def test_kind__reads_what_its_row_lists(name, request, tmp_path):
    kind, address = ADDRESSED[name], request.getfixturevalue(f"{name}_url")
    if name == "postgres":  # whose statements are counted where the extension is
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    module = importlib.import_module(f"ci_gate.measure.probes.{kind.module}")
    probe = module.open_probe(address, tmp_path, lambda _line: None)
    try:
        assert {*probe.read()} == {*kind.gauges, *kind.counters}
    finally:
        probe.finish()
