"""The comment's table: a row for each scenario, what this change did first.

GitHub shows 734 px of a table, and a phone less than 300: the first two columns have to do there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ci_gate.judge.compare.duet import DuetVerdict
from ci_gate.judge.limits import LimitResult
from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict
from ci_gate.report.against_base import choose_worst, size_change
from ci_gate.report.cells import format_measured, format_ms, format_rate, format_share
from ci_gate.report.document import Piece, Rank, make_table
from ci_gate.report.escape import MAX_NAME_LENGTH, NO_BREAK, clean, code_span, escape_markdown, keep_together
from ci_gate.report.limits import format_share_used, share_used
from ci_gate.report.outcome_words import SYMBOLS
from ci_gate.thresholds import ALL_ENDPOINTS, FAILURES, RATE, SUCCESSES, Metric, metric_of
from ci_gate.wording import NOTHING

_HEADERS: Final = ("scenario", "against base", "latency", "failures", "rate")
_MAX_NAME: Final = 24  # of an endpoint in a cell


def make_scenario_piece(scenarios: Sequence[ScenarioVerdict]) -> Piece:
    """The table; without the column of base where nothing was compared, none where nothing was measured."""
    if not any(scenario.endpoints for scenario in scenarios):
        return Piece(items=(), noun="scenario", rank=Rank.TABLE)
    is_compared = any(scenario.comparison for scenario in scenarios)
    shown = [index for index, header in enumerate(_HEADERS) if is_compared or header != "against base"]
    rows = (tuple(row[index] for index in shown) for row in map(_make_row, scenarios))
    headers = tuple(_HEADERS[index] for index in shown)
    alignment = "".join("lllrr"[index] for index in shown)
    return make_table(headers, rows, alignment, noun="scenario", rank=Rank.TABLE)


def _make_row(scenario: ScenarioVerdict) -> tuple[str, ...]:
    return (
        f"{SYMBOLS[scenario.outcome]} {scenario.outcome} {code_span(scenario.name)}",
        _show_against_base(scenario.comparison),
        *_show_figures(scenario),
    )


def _show_against_base(duet: DuetVerdict | None) -> str:
    """The worst change, which may break between its parts."""
    worst = choose_worst(duet)
    if worst is None:
        return NOTHING if duet is None else "not compared"
    size, more = map(keep_together, size_change(worst))
    size = size.replace(f"→{NO_BREAK}", "→ ")  # a phone may break it there
    size = f"**{size}**" if worst.outcome == Outcome.FAIL else size
    return f"{worst.metric} {size} {more}{_name_endpoint(worst.endpoint)}"


def _show_figures(scenario: ScenarioVerdict) -> tuple[str, str, str]:
    if not scenario.endpoints:
        return NOTHING, NOTHING, NOTHING
    total = scenario.endpoints[0]
    return (
        _show_latency(scenario),
        _show_limited(scenario, (FAILURES, SUCCESSES), format_share(total.failure_share)),
        _show_limited(scenario, (RATE,), format_rate(total.rate_per_s)),
    )


def _show_latency(scenario: ScenarioVerdict) -> str:
    """Of the limit on latency of which most is used; the p95 where no limit was measured."""
    used = [
        (share, limit)
        for limit in scenario.limits
        if metric_of(limit.metric).is_percentile and (share := share_used(limit)) is not None
    ]
    if not used:
        return f"p95 {keep_together(format_ms(scenario.endpoints[0].p95_ms))}"
    share, limit = max(used, key=lambda pair: pair[0])
    measured = _stress(limit, keep_together(format_measured(limit)))
    bound = keep_together(escape_markdown(f"of {limit.text}"))
    used_text = f"({keep_together(format_share_used(share))})"
    return f"{limit.metric} {measured} {bound} {used_text}{_name_endpoint(limit.endpoint)}"


def _show_limited(scenario: ScenarioVerdict, metrics: Sequence[Metric], figure: str) -> str:
    """The figure of all requests; where a limit on it is not kept, with the limit."""
    for limit in scenario.limits:
        is_about = limit.endpoint == ALL_ENDPOINTS and metric_of(limit.metric) in metrics
        if is_about and limit.outcome == Outcome.FAIL:
            measured = _stress(limit, keep_together(format_measured(limit)))
            return f"{measured} {keep_together(escape_markdown(f'of {limit.text}'))}"
    return keep_together(figure)


def _stress(limit: LimitResult, text: str) -> str:
    return f"**{text}**" if limit.outcome == Outcome.FAIL else text


def _name_endpoint(endpoint: str) -> str:
    return "" if endpoint == ALL_ENDPOINTS else f" {code_span(_shorten(endpoint))}"


def _shorten(endpoint: str) -> str:
    """``POST …/{plane}/remediate``: a path breaks nowhere, and its end tells most."""
    name = clean(endpoint, MAX_NAME_LENGTH)
    method, _, path = name.partition(" ")
    tail = path[-max(_MAX_NAME - len(method) - 2, 1) :]
    if len(name) <= _MAX_NAME or "/" not in tail:
        return clean(name, _MAX_NAME)
    return f"{method} …{tail[tail.index('/') :]}"
