"""What one run changes of thresholds.yaml: how many users, and which image the service is started from."""

from __future__ import annotations

import dataclasses

import yaml

from ci_gate.errors import UsageError
from ci_gate.thresholds import Scenario, Thresholds, parse_thresholds


def replace_users(thresholds: Thresholds, total: int) -> Thresholds:
    """Each scenario with ``total`` users, its classes in the same proportion, as if the file said so.

    Fewer users offer less, so that floors under their rate sink with them; nothing else is loosened. The text
    is changed too, on the same lines, so that evidence says what was asked and can be judged again.
    Raises UsageError where a scenario has more classes than users, BadInputError where there are too many.
    """
    root = yaml.compose(thresholds.text, yaml.SafeLoader)
    edits: dict[tuple[int, int], str] = {}
    for name, node in _pairs(_child(root, "scenarios")):
        scenario = next(each for each in thresholds.scenarios if each.name == name)
        edits |= _find_edits(scenario, node, total)
    text = thresholds.text
    for (begin, end), new in sorted(edits.items(), reverse=True):
        text = f"{text[:begin]}{new}{text[end:]}"
    return parse_thresholds(text, thresholds.file)


def share_users(scenario: Scenario, total: int) -> dict[str, int]:
    """``total`` users by class, by largest remainders; every class keeps one."""
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
    """The same, with the service started from ``image``, whatever the file starts it from.

    The text stays: how a service is started is no part of what is acceptable of it.
    """
    service = dataclasses.replace(thresholds.service, kind="image", target=image)
    return dataclasses.replace(thresholds, service=service)


def _find_edits(scenario: Scenario, node: yaml.Node, total: int) -> dict[tuple[int, int], str]:
    """New text by where the old one begins and ends; the text was read before, so its shape is known."""
    counts = share_users(scenario, total)
    edits = {_span(count): str(counts[name]) for name, count in _pairs(_child(node, "users"))}
    share = total / scenario.user_count
    if share < 1 and scenario.arrivals_per_s is None:
        floors = {limit.endpoint: limit.bound for limit in scenario.limits if limit.metric == "rate"}
        for endpoint, bounds in _pairs(_child(node, "limits")):
            for metric, bound in _pairs(bounds):
                if metric == "rate":
                    edits[_span(bound)] = f"{floors[endpoint] * share:.3f}".rstrip("0").rstrip(".") + "/s"
    return edits


def _span(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.index, node.end_mark.index


def _child(node: yaml.Node | None, key: str) -> yaml.Node:
    return next(value for name, value in _pairs(node) if name == key)


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - the text was parsed as thresholds before
    return [(str(key.value), value) for key, value in node.value]
