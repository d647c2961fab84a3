"""What one run showed: a line of the file of results, and whether it is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from scipy.stats import binomtest
from tabulate import tabulate

from benchmarks.diagnoses.cases import CASES, Case
from ci_gate.evidence.readings import StrictValue
from ci_gate.judge.diagnosis.bottleneck import Diagnosis
from ci_gate.judge.diagnosis.causes import UNKNOWN
from ci_gate.judge.foreign import MAX_FOREIGN

MIN_RIGHT: Final = 0.9
HOST_CPU: Final = "host-cpu"
TAKERS: Final = re.compile(r"others beside the service [\d.]+ \(\S")
NO_STORY: Final = frozenset({"failing-replies", UNKNOWN})
HEADERS: Final = (
    "case",
    "what is wrong",
    "first must be",
    "runs",
    "named first",
    "95 %",
    "invented in",
    "else, or beside it",
)


class NamedCause(StrictValue, frozen=True):
    """One cause of a diagnosis, in its rank."""

    code: str
    share: float | None


class Row(StrictValue, frozen=True):
    """One run. ``commit`` is of the code that judged it, ``foreign_cores`` what other programs used.

    ``names_takers``: a `host-cpu` says which.
    """

    case: str
    commit: str
    load_average: float
    outcome: str
    findings: tuple[str, ...]
    causes: tuple[NamedCause, ...]
    foreign_cores: float | None
    host_cores: int
    names_takers: bool
    evidence: str

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(cause.code for cause in self.causes)


def name_causes(diagnosis: Diagnosis | None) -> tuple[NamedCause, ...]:
    """Every cause in rank order."""
    return tuple(
        NamedCause(code=each.code, share=None if each.share is None else round(each.share, 3))
        for each in (diagnosis.causes if diagnosis else ())
    )


def has_takers(diagnosis: Diagnosis | None) -> bool:
    """Its `host-cpu`, if it has one, names a program."""
    causes = [each for each in (diagnosis.causes if diagnosis else ()) if each.code == HOST_CPU]
    return any(TAKERS.search(number) for cause in causes for number in cause.numbers)


def is_right(case: Case, row: Row) -> bool:
    """The first cause is an expected one; where none is expected, none is named."""
    return row.codes[0] in case.first if row.codes and case.first else row.codes == case.first


def list_invented(case: Case, row: Row) -> list[str]:
    """Causes that the case does not have; `host-cpu` is one where nobody took the CPU or none is named.

    That replies failed is no story: they were counted. Nor is it one that something was not observed.
    """
    is_taken = row.names_takers and (row.foreign_cores or 0.0) >= MAX_FOREIGN * row.host_cores
    invented = [code for code in row.codes if code not in {*case.first, *case.also, *NO_STORY}]
    return [code for code in invented if code != HOST_CPU or not is_taken]


def describe(row: Row) -> str:
    """Every cause with its share, in rank order."""
    shares = ("" if cause.share is None else f" {cause.share:.0%}" for cause in row.causes)
    return ", ".join(map("".join, zip(row.codes, shares, strict=True))) or "nothing"


def find_interval(right: int, runs: int) -> str:
    """``69 to 100 %``: Clopper and Pearson's, of 95 %."""
    interval = binomtest(right, runs).proportion_ci(confidence_level=0.95, method="exact")
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %"


def render(rows: Sequence[Row]) -> str:
    """The table, of the cases that were run."""
    table = [summarise(case, own) for case in CASES if (own := rows_of(case, rows))]
    return tabulate(table, headers=HEADERS, tablefmt="github", disable_numparse=True)


def summarise(case: Case, rows: Sequence[Row]) -> tuple[str, ...]:
    """A row of the table."""
    right = sum(is_right(case, row) for row in rows)
    invented = sum(bool(list_invented(case, row)) for row in rows)
    others = sorted(
        {", ".join(row.codes) or "nothing" for row in rows}
        - {*case.first, *([] if case.first else ["nothing"])}
    )
    expected = " or ".join(f"`{code}`" for code in case.first) or "nothing"
    interval = find_interval(right, len(rows))
    return (
        case.name,
        case.about,
        expected,
        str(len(rows)),
        str(right),
        interval,
        str(invented),
        "; ".join(others),
    )


def rows_of(case: Case, rows: Iterable[Row]) -> list[Row]:
    """Those of one case."""
    return [row for row in rows if row.case == case.name]


def are_right(rows: Sequence[Row]) -> bool:
    """Every case is named first in 9 of 10 of its runs, and nothing is invented in any."""
    for case in CASES:
        own = rows_of(case, rows)
        if sum(is_right(case, row) for row in own) < MIN_RIGHT * len(own):
            return False
        if any(list_invented(case, row) for row in own):
            return False
    return True
