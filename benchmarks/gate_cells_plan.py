"""The cells of `benchmarks.gate_cells`: two versions, what loads them, and what the gate is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison_simulation import slow_down, slow_tail

OF_INIT = "p50=10%,p95=20%,cpu=10%,memory=20%,statements=5%"
HALF = "p50=5%,p95=10%,cpu=5%,memory=10%,statements=2.5%"
CHANGED = "python -m benchmarks.changed_service"
Slow = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is done to head's response times, and what is tolerated; ``is_equal``: a red is a false one."""

    name: str
    tolerances: str
    slow: Slow | None = None
    is_equal: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Two versions, the scenarios that load them, and what is asked of them. ``head`` is its command."""

    scenarios: tuple[str, ...]
    questions: tuple[Question, ...]
    base_faults: str = ""
    head_faults: str = ""
    head: str = ""


OF_EQUAL = (
    Question(name="equal, tolerances of init", tolerances=OF_INIT, is_equal=True),
    Question(name="equal, half of them", tolerances=HALF, is_equal=True),
    Question(name="+10 % everywhere", tolerances="p50=5%,p95=10%", slow=partial(slow_down, 1.1)),
    Question(name="+20 % in the tail", tolerances="p50=5%,p95=10%", slow=partial(slow_tail, 1.2)),
)
LOAD = "connector-scaling"
CELLS: Mapping[str, Cell] = {
    "equal": Cell(scenarios=("concurrent-deployments", "cab-approvals", LOAD), questions=OF_EQUAL),
    "cpu": Cell(
        scenarios=(LOAD,),
        questions=(Question(name="+0.1 ms of CPU, 1.2 ms before", tolerances="cpu=4%"),),
        head_faults="extra_cpu=0.1ms",
    ),
    "dependency": Cell(
        scenarios=(LOAD,),
        questions=(Question(name="a dependency of 13 for 10 ms", tolerances="p50=10%,p95=10%"),),
        base_faults="slow_dependency=10ms",
        head_faults="slow_dependency=13ms",
    ),
    "statement": Cell(
        scenarios=(LOAD,),
        questions=(Question(name="one statement more for each request", tolerances="statements=10%"),),
        head=f"{CHANGED} 0 1 --port {{port}}",
    ),
    "memory": Cell(
        scenarios=(LOAD,),
        questions=(Question(name="14 MiB more memory, 68 before", tolerances="memory=10%"),),
        head=f"{CHANGED} 14 0 --port {{port}}",
    ),
}
