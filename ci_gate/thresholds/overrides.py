"""Options of one run that replace what thresholds.yaml says: the number of users, the service's image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from ci_gate.errors import UsageError
from ci_gate.thresholds import DEFAULT_PORT, RATE, Limit, Scenario, Thresholds, parse_thresholds
from ci_gate.thresholds.values import WORST
from ci_gate.thresholds.yaml.edit import edit_yaml
from ci_gate.thresholds.yaml.source import KeyPath, read_yaml

NO_PEAKS: Final[Mapping[str, int]] = MappingProxyType({})


def replace_users(thresholds: Thresholds, total: int, peaks: Mapping[str, int] = NO_PEAKS) -> Thresholds:
    """The thresholds with ``total`` users in each scenario, its classes in the same proportion.

    Under a shape, ``total`` run at most, in the proportion of what the shape asks for; ``peaks`` is how many
    that is at most, by the scenario's name. With fewer users, limits on ``rate`` are lowered by the same
    share; no other limit changes. The text is changed too, on the same lines, so that evidence holds what the
    run used and can be judged again. Raises UsageError where a scenario has more classes than users or the
    peak of its shape is not known, BadInputError where there are too many.
    """
    usual = {each.name: _count_usual(each, peaks) for each in thresholds.scenarios}
    edits = dict(
        edit
        for scenario in thresholds.scenarios
        for edit in _find_edits(scenario, total, usual[scenario.name])
    )
    data = read_yaml(thresholds.text, thresholds.file).data
    edited = parse_thresholds(edit_yaml(thresholds.text, data, _apply(data, edits)), thresholds.file)
    scenarios = tuple(
        dataclasses.replace(each, peak_users=total) if each.locust.shape else each
        for each in edited.scenarios
    )
    # Another option may have replaced the service, which the text does not say.
    return dataclasses.replace(edited, scenarios=scenarios, service=thresholds.service)


def _count_usual(scenario: Scenario, peaks: Mapping[str, int]) -> int:
    """The users of the scenario without the option."""
    shape = scenario.locust.shape
    if not shape:
        return scenario.user_count
    if not peaks.get(scenario.name):
        raise UsageError(
            f"{scenario.name}: how many users shape {shape} asks for is not known before it runs: "
            "it takes no other number"
        )
    return peaks[scenario.name]


def share_users(scenario: Scenario, total: int) -> dict[str, int]:
    """How many of ``total`` users each class gets, by class name, rounded by largest remainder; one at least.

    Raises UsageError where there are more classes than users.
    """
    if total < len(scenario.users):
        raise UsageError(
            f"{scenario.name} has {len(scenario.users)} user classes: it needs as many users, not {total}"
        )
    spare = total - len(scenario.users)
    exact = {user.user_class: spare * user.count / scenario.user_count for user in scenario.users}
    shares = {name: int(share) for name, share in exact.items()}
    left = spare - sum(shares.values())
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[:left]:
        shares[name] += 1
    return {name: share + 1 for name, share in shares.items()}


def replace_image(thresholds: Thresholds, image: str) -> Thresholds:
    """The thresholds with a service that is started from the container image ``image``.

    The text is kept: how a service is started changes no limit.
    """
    port = thresholds.service.port or DEFAULT_PORT
    service = dataclasses.replace(thresholds.service, kind="image", target=image, port=port)
    return dataclasses.replace(thresholds, service=service)


def replace_processes(thresholds: Thresholds, processes: int | str) -> Thresholds:
    """The thresholds with so many processes of Locust, or ``auto``; the text is changed too.

    Raises BadInputError where a scenario of the file does not allow it.
    """
    data = read_yaml(thresholds.text, thresholds.file).data
    text = edit_yaml(thresholds.text, data, {**data, "generator": {"processes": processes}})
    return dataclasses.replace(parse_thresholds(text, thresholds.file), service=thresholds.service)


def _find_edits(scenario: Scenario, total: int, usual: int) -> Iterator[tuple[KeyPath, int | str]]:
    """Yields the path of each value that changes, with its new value."""
    place: KeyPath = ("scenarios", scenario.name)
    if scenario.users:
        for name, count in share_users(scenario, total).items():
            yield (*place, "users", name), count
    share = Fraction(total, usual)
    if share < 1 and scenario.arrivals_per_s is None:
        for limit in scenario.limits:
            if limit.metric.whole == RATE:
                inside = () if limit.metric == RATE else (WORST,)
                yield (*place, "limits", limit.endpoint, *inside, RATE.name), _lower(limit, share)


def _lower(floor: Limit, share: Fraction) -> str:
    """The lowered bound as text: rounded down, so that the users can offer it, but above 0."""
    lowered = floor.exact_bound * share
    decimals = 3 if lowered * 1000 >= 1 else 6
    steps = max(math.floor(lowered * 10**decimals), 1)
    return f"{steps / 10**decimals:.{decimals}f}".rstrip("0").rstrip(".") + "/s"


def _apply(value: Any, edits: Mapping[KeyPath, int | str], path: KeyPath = ()) -> Any:  # noqa: ANN401  plain data
    if isinstance(value, dict):
        return {key: _apply(inner, edits, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_apply(inner, edits, (*path, index)) for index, inner in enumerate(value)]
    return edits.get(path, value)
