"""What a run does not use of Locust's settings and of the locustfile, and what would use it."""

from __future__ import annotations

from collections.abc import Iterator

from ci_gate.evidence.workload import UnusedSetting, Workload
from ci_gate.judge.validity.locustfile_rules import LOCUSTFILE_IGNORED
from ci_gate.thresholds import Scenario


def find_unused(scenario: Scenario, workload: Workload) -> tuple[UnusedSetting, ...]:
    """What a run of the scenario does not use of Locust's settings and of the locustfile."""
    classes = {user.user_class for user in scenario.users}
    if scenario.locust.shape:
        classes = {user_class.name for user_class in workload.classes}
    idle = (user_class.name for user_class in workload.classes if user_class.name not in classes)
    return (
        *(
            setting
            for setting in workload.unused
            if not setting.user_classes or classes.intersection(setting.user_classes)
        ),
        *(
            UnusedSetting(what=f"class {name}", why="users does not name it", replaced=True, key="users")
            for name in idle
        ),
    )


def list_unused(scenario: Scenario, workload: Workload) -> Iterator[str]:
    """A line for each of them, and for each class of the scenario that is no HTTP user: which host it has."""
    relaxed = any(each.code == LOCUSTFILE_IGNORED for each in scenario.relax)
    for setting in find_unused(scenario, workload):
        if setting.replaced or relaxed:
            yield f"not used: {setting.what}: {setting.why}"
        else:
            use = f"; {setting.key} of the scenario would say it" if setting.key else ""
            yield f"cannot pass ({LOCUSTFILE_IGNORED}): {setting.what} is not used; it {setting.why}{use}"
    named = {user.user_class for user in scenario.users}
    for user_class in workload.classes:
        if user_class.name not in named or user_class.is_http or scenario.locust.host:
            continue
        if user_class.own_host:
            yield f"{user_class.name} keeps its own host {user_class.own_host}"
        else:
            yield f"{user_class.name} is no HTTP user: its host is the URL of the service, or that of 'host'"
