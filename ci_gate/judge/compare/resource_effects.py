"""What head changed in the resources that the service uses, from blocks that both sides lived through."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ci_gate.judge.compare.windows import FINEST, MIN_BLOCKS, Effect, Phase, SideSamples, error_of_sum
from ci_gate.judge.resources import cover
from ci_gate.thresholds import Metric


def measure_per_success(base: SideSamples, head: SideSamples, metric: Metric, phase: Phase) -> Effect | None:
    """Log of the ratio of what each success took, such as CPU time; None where a side was not read.

    The error is that of a difference of two ratio estimators: batch means of the residuals c - r n, with c
    what was used in a block, n its successes and r the ratio (Cochran 1977, Sampling Techniques, 6.3).
    """
    counted = [side.resources.counted(metric) for side in (base, head)]
    covered = cover(counted, phase.begin_s, phase.end_s)
    if covered is None:
        return None
    part = Phase(begin_s=covered[0], end_s=covered[1])
    blocks = part.most_blocks
    edges_s = np.linspace(part.begin_s, part.end_s, blocks + 1)
    used = [each.between(edges_s) for each in counted if each]
    done = [part.counts(side.within(part).pick_successes().intended_s, blocks) for side in (base, head)]
    total = [float(each.sum()) for each in used]
    size = [int(each.sum()) for each in done]
    if blocks < MIN_BLOCKS or not all(total) or not all(size):
        return None
    ratio = [total[i] / size[i] for i in (0, 1)]
    residual = [(used[i] - ratio[i] * done[i]) / total[i] for i in (0, 1)]
    return Effect(
        base=ratio[0],
        head=ratio[1],
        estimate=float(np.log(ratio[1]) - np.log(ratio[0])),
        error=max(error_of_sum(residual[1] - residual[0]), FINEST),
        df=blocks - 1,
        windows=blocks,
    )


def measure_peak(base: SideSamples, head: SideSamples, phase: Phase) -> Effect | None:
    """Mean over blocks of log(head's most memory / base's); None where too few have readings of both.

    ``base`` and ``head`` of the effect are the peaks of the phase.
    """
    edges_s = np.linspace(phase.begin_s, phase.end_s, phase.most_blocks + 1).tolist()
    peaks = []
    for held in (base.resources.memory_mib, head.resources.memory_mib):
        if held is None:
            return None
        peaks.append([held.peak(low, high) or np.nan for low, high in pairwise(edges_s)])
    logs = np.log(np.array(peaks, dtype=np.float64))
    differences = logs[1] - logs[0]
    differences = differences[np.isfinite(differences)]
    if differences.size < MIN_BLOCKS:
        return None
    error = float(np.std(differences, ddof=1) / np.sqrt(differences.size))
    return Effect(
        base=float(np.exp(np.nanmax(logs[0]))),
        head=float(np.exp(np.nanmax(logs[1]))),
        estimate=float(differences.mean()),
        error=max(error, FINEST),
        df=differences.size - 1,
        windows=differences.size,
    )
