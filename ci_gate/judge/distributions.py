"""Quantiles and bounds of the distributions that verdicts rest on.

Of scipy.special, which takes a third of the time and half of the memory of scipy.stats, and that only where
something is asked of it.
"""

from __future__ import annotations


def t_tail(value: float, df: float) -> float:
    """The probability that Student's t is at most ``value``."""
    from scipy.special import stdtr

    return float(stdtr(df, value))


def t_quantile(probability: float, df: float) -> float:
    """What Student's t is at most with that probability."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def share_interval(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability that ``hits`` of so many independent trials show.

    Clopper and Pearson (1934), Biometrika 26:404.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, of - hits + 1, tail))
    high = 1.0 if hits == of else float(betaincinv(hits + 1, of - hits, 1 - tail))
    return low, high


def most_hits(hits: int, of: int, next_of: int, tail: float) -> int:
    """The most hits in the next ``next_of`` trials; more come with probability ``tail`` at most.

    Known are ``hits`` of ``of`` trials, few of which hit. Given the sum of both counts, the first is binomial
    whatever their common rate is, so the bound is exact: Nelson (1970), Technometrics 12:303.
    """
    from scipy.special import bdtr

    share, most = of / (of + next_of), 0
    while bdtr(hits, hits + most + 1, share) > tail:
        most += 1
    return most
