r"""How often a comparison that may be confirmed by a second start blocks: equal versions, and slower ones.

Simulated, by the judge's own functions: what a start reads is the truth, what starts differ by, and an error
within the start that shrinks with time as that of independent blocks does. Single questions of all requests.

    python -m benchmarks.confirmation --runs 20000
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from ci_gate.judge.compare.comparison import Answer, judge_answers, settle
from ci_gate.judge.compare.confirmation import judge_both
from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.compare.interim import plan_interim
from ci_gate.judge.compare.windows import BLOCKS, Effect
from ci_gate.judge.outcome import Outcome
from ci_gate.thresholds import ALL_ENDPOINTS, Compare, metric_of

DURATION_S = 120.0
DF = BLOCKS - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Ratios, all of them: 0.1 is +10 %. ``assumed`` is the scatter that the judge reckons with."""

    truth: float
    tolerance: float
    within: float  # standard error of one start after the longest duration
    between: float  # standard deviation of what starts of one version differ by
    assumed: float
    questions: int = 1


def draw_start(draw: np.random.Generator, case: Case) -> list[list[Answer]]:
    """The answers at each interim analysis of one start."""
    shares = np.array([interim.share for interim in plan_interim(DURATION_S)])
    answers: list[list[Answer]] = [[] for _ in shares]
    for number in range(case.questions):
        steps = draw.normal(0, np.sqrt(np.diff(shares, prepend=0.0))) * case.within
        true = np.log1p(case.truth) + case.between * draw.normal()
        estimates = np.cumsum(steps) / shares + true
        errors = case.within / np.sqrt(shares) * np.sqrt(draw.chisquare(DF, shares.size) / DF)
        for at, (estimate, error) in enumerate(zip(estimates, errors, strict=True)):
            effect = Effect(
                base=1.0,
                head=float(np.exp(estimate)),
                estimate=float(estimate),
                error=float(error),
                df=DF,
                windows=BLOCKS,
            )
            metric = metric_of(f"p{50 + number}")
            answers[at].append(
                Answer(endpoint=ALL_ENDPOINTS, metric=metric, tolerance=case.tolerance, effect=effect)
            )
    return answers


def decide(draw: np.random.Generator, case: Case, alpha: float) -> tuple[Outcome, Outcome]:
    """What one start says, and what is left of it where it may be confirmed."""
    scatter = tuple((metric_of(f"p{50 + number}"), case.assumed) for number in range(case.questions))
    settings = Compare(max_duration_s=DURATION_S, alpha=alpha, scatter=scatter)
    start = draw_start(draw, case)
    for at, interim in enumerate(plan_interim(DURATION_S)):
        comparison = judge_answers(start[at], interim, alpha)
        outcome = settle(comparison)
        if outcome != Outcome.INCONCLUSIVE:
            break
    if outcome != Outcome.FAIL:
        return outcome, outcome
    first = DuetVerdict(
        outcome=outcome,
        duration_s=interim.duration_s,
        analyses=at + 1,
        alpha=alpha,
        changes=comparison.changes,
        not_compared=(),
        findings=(),
    )
    return outcome, judge_both(first, [start[at], draw_start(draw, case)[at]], settings, 0.0).outcome


def count_outcomes(
    case: Case, runs: int, *, alpha: float = 0.01, seed: int = 1
) -> tuple[Counter[Outcome], ...]:
    """How often one start says what, and how often both."""
    draw = np.random.default_rng(seed)
    decided = [decide(draw, case, alpha) for _ in range(runs)]
    return Counter(one for one, _ in decided), Counter(both for _, both in decided)


EQUAL = [
    Case(truth=0, tolerance=0, within=0.02, between=0.02 * times, assumed=0.02 * times)
    for times in (0, 0.5, 1, 2, 4)
]
AS_TOLERATED = [
    Case(truth=truth, tolerance=0.1, within=0.02, between=between, assumed=assumed)
    for truth in (0, 0.1, 0.15, 0.2)
    for between, assumed in ((0.02, 0.04), (0.04, 0.04), (0.062, 0.062), (0.089, 0.062))
]
CASES: Sequence[Case] = [
    *EQUAL,
    *(dataclasses.replace(EQUAL[2], questions=6, between=between, assumed=between) for between in (0, 0.02)),
    *AS_TOLERATED,
]
HEADERS = ("head", "tolerance", "within", "between", "assumed", "questions", "one start", "both", "passed")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20000)
    runs = parser.parse_args().runs
    rows = []
    for case in CASES:
        one, both = count_outcomes(case, runs)
        sizes = (f"{size:.1%}" for size in dataclasses.astuple(case)[:5])
        taken_back = both[Outcome.PASS] - one[Outcome.PASS]
        shares = (one[Outcome.FAIL] / runs, both[Outcome.FAIL] / runs, taken_back / runs)
        rows.append((*sizes, case.questions, *(f"{share:.2%}" for share in shares)))
    print(tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
