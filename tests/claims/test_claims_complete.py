"""Each of the 27 numbers has a case, or a reason in README.md why it has none."""

from __future__ import annotations

import re
from pathlib import Path

from tests.claims import test_claims_before_load, test_claims_in_evidence, test_claims_in_runs

MODULES = (test_claims_before_load, test_claims_in_evidence, test_claims_in_runs)


def numbers_of(module) -> set[int]:
    """As its cases and the names of its tests say."""
    cases = [*getattr(module, "MISTAKES", ()), *getattr(module, "CLAIMS", ())]
    named = {case.number if hasattr(case, "number") else int(case.scenario.split("-")[1]) for case in cases}
    tests = " ".join(name for name in vars(module) if name.startswith("test_claim"))
    return named | {int(number) for number in re.findall(r"_(\d\d)_", tests)}


def test_numbers__all_27_have_a_case_or_a_reason():
    table = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    reasons = {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    cases = set().union(*(numbers_of(module) for module in MODULES))
    assert cases | reasons == set(range(1, 28))
    assert not cases & reasons


def test_numbers__are_what_each_module_says():
    for module in MODULES:
        assert set(module.NUMBERS) <= numbers_of(module)
