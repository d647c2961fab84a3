"""What one run changes of thresholds.yaml: how many users, and which image the service is started from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import yaml

from ci_gate.errors import UsageError
from ci_gate.thresholds import Scenario, Thresholds, parse_thresholds


def replace_users(thresholds: Thresholds, total: int) -> Thresholds:
    """Each scenario with ``total`` users, its classes in the same proportion, as if the file said so.

    The text is changed too, on the same lines, so that evidence says what was asked and can be judged again.
    Raises UsageError where a scenario has more classes than users, BadInputError where there are too many.
    """
    wanted = {scenario.name: share_users(scenario, total) for scenario in thresholds.scenarios}
    return parse_thresholds(_write_counts(thresholds.text, wanted), thresholds.file)


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


def _write_counts(text: str, wanted: Mapping[str, Mapping[str, int]]) -> str:
    """Only the numbers are replaced; ``text`` was read before, so it has the shape of a thresholds.yaml."""
    edits: dict[tuple[int, int], int] = {}
    for name, scenario in _pairs(_child(yaml.compose(text, yaml.SafeLoader), "scenarios")):
        for user_class, node in _pairs(_child(scenario, "users")):
            edits[node.start_mark.index, node.end_mark.index] = wanted[name][user_class]
    for (begin, end), count in sorted(edits.items(), reverse=True):
        text = f"{text[:begin]}{count}{text[end:]}"
    return text


def _child(node: yaml.Node | None, key: str) -> yaml.Node:
    return next(value for name, value in _pairs(node) if name == key)


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - the text was parsed as thresholds before
    return [(str(key.value), value) for key, value in node.value]
