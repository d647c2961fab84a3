"""The machines of a run as a table, beside those of the last run of base's branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_gate.evidence.environment import Environment
from ci_gate.report.environment import describe_environment
from ci_gate.report.html.table import Cell, Column, Table
from ci_gate.report.report import Report
from ci_gate.wording import NOTHING

_Facts = dict[str, str]


def make_environment_table(report: Report) -> Table:
    """A row for each fact of the machines, a column for each scenario, or one where all are alike.

    Beside them those of the last run of base's branch, where that is known. Base and head of one scenario
    share a machine.
    """
    now = {each.name: each.environment for each in report.verdict.scenarios if each.environment}
    columns = {
        **_join_alike("this run", now),
        **_join_alike("last run of base's branch", report.base_environments),
    }
    names = dict.fromkeys(name for facts in columns.values() for name in facts)
    rows = [(name, [facts.get(name, NOTHING) for facts in columns.values()]) for name in names]
    is_compared = len(columns) > 1
    titles = ("", *columns, *(["same?"] if is_compared else []))
    return Table(
        caption="The machine of each scenario, which base and head of it shared",
        columns=tuple(Column(title=title) for title in titles),
        rows=tuple(
            (Cell(name), *map(Cell, texts), *([_say_whether_same(texts)] if is_compared else []))
            for name, texts in rows
        ),
    )


def _join_alike(whole: str, environments: Mapping[str, Environment]) -> dict[str, _Facts]:
    """Facts by the title of their column: of each scenario, or of the ``whole`` where all are alike."""
    facts = {name: describe_environment(environment) for name, environment in environments.items()}
    first = next(iter(facts.values()), None)
    if first and all(each == first for each in facts.values()):
        return {whole: first}
    return {f"{name}, {whole}": each for name, each in facts.items()}


def _say_whether_same(texts: Sequence[str]) -> Cell:
    return Cell("same") if len(set(texts)) == 1 else Cell("differs", kind="loosened")
