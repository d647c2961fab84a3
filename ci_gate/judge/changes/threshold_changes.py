"""What an edit of thresholds.yaml asks for: more, less, or something else. Both files as values, no I/O.

Each file becomes a table of settings, each with how much it demands; a change compares one row of both.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from ci_gate.addresses import hide_credentials
from ci_gate.thresholds import (
    FAILURES,
    SUCCESSES,
    Limit,
    LocustSettings,
    Needs,
    Profile,
    Scenario,
    Service,
    Thresholds,
)
from ci_gate.thresholds.locust_settings import AUTO
from ci_gate.thresholds.values import OVER, WORST
from ci_gate.wording import count, format_exact

Direction = Literal["loosened", "changed", "tightened"]
"""``changed``: whether it asks for more or less is not known, such as another locustfile."""

_DIRECTIONS: Final[tuple[Direction, ...]] = ("loosened", "changed", "tightened")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChange:
    """One setting that differs. ``old`` is None for one that was added, ``new`` for one that was removed.

    ``scenario`` is empty for what holds for all, ``endpoint`` for what holds for no endpoint alone.
    ``line`` is where the new file says it, None where no line does. ``content`` is of what a row sums up: a
    digest of all settings of a scenario that was added or removed.
    """

    scenario: str
    endpoint: str
    setting: str
    old: str | None
    new: str | None
    direction: Direction
    line: int | None
    content: str = ""

    @property
    def action(self) -> Literal["added", "removed", "edited"]:
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "edited"


def compare_thresholds(
    old: Thresholds,
    new: Thresholds,
    *,
    old_files: Mapping[str, str] | None = None,
    new_files: Mapping[str, str] | None = None,
) -> tuple[ThresholdChange, ...]:
    """Every difference that can move a verdict: what is loosened first, then what cannot be ordered.

    The files map paths of locustfiles and workflows to digests of their content. Comments, order and another
    way to write the same value (``0.3s``, ``300ms``) are no change.
    """
    before = {**_settings_of(old, new), **_file_settings(old_files or {})}
    after = {**_settings_of(new, old), **_file_settings(new_files or {})}
    changes = (_compare(key, before.get(key), after.get(key)) for key in sorted({*before, *after}))
    return tuple(sorted(filter(None, changes), key=lambda change: _DIRECTIONS.index(change.direction)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """``demand`` grows with what is asked, None if it has no direction; ``presence``: so does being there."""

    text: str
    content: str = ""
    demand: float | None = None
    presence: Literal[-1, 0, 1] = 0
    line: int | None = None


_Key = tuple[str, str, str]
_Row = tuple[_Key, _Setting]


def _compare(key: _Key, old: _Setting | None, new: _Setting | None) -> ThresholdChange | None:
    direction = _direction(old, new)
    if direction is None:
        return None
    scenario, endpoint, setting = key
    return ThresholdChange(
        scenario=scenario,
        endpoint=endpoint,
        setting=setting,
        old=hide_credentials(old.text) if old else None,
        new=hide_credentials(new.text) if new else None,
        direction=_DIRECTIONS[direction + 1],
        line=new.line if new else None,
        content=next(each.content for each in (new, old) if each),
    )


def _direction(old: _Setting | None, new: _Setting | None) -> int | None:
    """-1, 0 or 1 as in _DIRECTIONS; None for no change."""
    if old is None or new is None:
        return (new.presence if new else 0) - (old.presence if old else 0)
    if old.demand is None or new.demand is None:
        return None if old.text == new.text else 0
    return (new.demand > old.demand) - (new.demand < old.demand) or None


def _settings_of(thresholds: Thresholds, other: Thresholds) -> dict[_Key, _Setting]:
    rows = [*_gate_rows(thresholds), *_service_rows(thresholds.service)]
    for profile in thresholds.profiles:
        rows += _profile_rows(profile)
    for scenario in thresholds.scenarios:
        if other.scenario(scenario.name) is None:  # one row says it all
            whole = _Setting(
                text=count(len(scenario.limits), "limit"),
                presence=1,
                line=scenario.at.line,
                content=_digest(_scenario_rows(scenario)),
            )
            rows.append(((scenario.name, "", "scenario"), whole))
        else:
            rows += _scenario_rows(scenario)
    return dict(rows)


def _digest(rows: Iterable[_Row]) -> str:
    """Of what they ask: another way to write the same has the same."""
    asked = ((*key, setting.text if setting.demand is None else setting.demand) for key, setting in rows)
    return digest_rows(asked).hex()


def digest_rows(rows: Iterable[Sequence[str | float | None]]) -> bytes:
    """SHA-256 over rows of values, whatever their order."""
    return hashlib.sha256("\n".join(sorted(map(json.dumps, rows))).encode()).digest()


def _gate_rows(thresholds: Thresholds) -> Iterator[_Row]:
    blocks = thresholds.on_inconclusive == "block"
    yield ("", "", "on_inconclusive"), _Setting(text=thresholds.on_inconclusive, demand=float(blocks))
    # Each way may see less: of the database's work nothing, or of the service's growth a smaller share.
    for cpu_of in {each.cpu_of for each in thresholds.scenarios}:
        yield ("", "", f"cpu_of {', '.join(cpu_of)}"), _Setting(text="counted", presence=1)
    yield ("", "", "label for loosening"), _Setting(text=thresholds.loosening_label)
    compare = thresholds.compare
    longest_s, alpha = compare.max_duration_s, compare.alpha
    # What takes longer, or may raise more false alarms, sees smaller regressions.
    yield ("", "", "compare max_duration"), _Setting(text=f"{format_exact(longest_s)} s", demand=longest_s)
    yield ("", "", "compare alpha"), _Setting(text=f"{format_exact(alpha * 100)}%", demand=alpha)
    # A second start, and more scatter between starts, can only take back what one start would block.
    confirm = _Setting(text="true" if compare.confirm else "false", demand=-float(compare.confirm))
    yield ("", "", "compare confirm"), confirm
    for metric, scatter in compare.scatter:
        setting = _Setting(text=f"{format_exact(scatter * 100)}%", demand=-scatter, presence=-1)
        yield ("", "", f"compare scatter {metric}"), setting
    # More of them may put on more load, or the same at other moments: neither more nor less is asked for.
    yield ("", "", "generator processes"), _Setting(text=str(thresholds.processes or AUTO))


def _service_rows(service: Service) -> Iterator[_Row]:
    line = service.at.line
    texts = {
        service.kind: service.target,
        "ready": str(service.ready),
        "ready_timeout": f"{format_exact(service.ready_timeout_s)} s",
        "before_start": service.before_start or "none",
        "before_start_timeout": f"{format_exact(service.before_start_timeout_s)} s",
        "before_each": service.before_each or "none",
        "before_each_timeout": f"{format_exact(service.before_each_timeout_s)} s",
        "ca": service.ca or "none",
        **_describe_needs(service.needs),
        **{f"process {name}": text for name, text in service.processes},
        **{f"env {name}": value for name, value in service.env},
    }
    for name, text in texts.items():
        yield ("", "", f"service {name}"), _Setting(text=text, line=line)
    if service.fixed_port is not None:  # then it cannot be compared with base
        yield ("", "", "service fixed port"), _Setting(text=str(service.port), presence=-1, line=line)
    elif service.port is not None:
        yield ("", "", "service port"), _Setting(text=str(service.port), line=line)
    for name, size in (("cpus", service.cpus), ("memory", service.memory_bytes)):
        known = "unlimited" if size is None else format_exact(size)
        text = f"{size:,} bytes" if name == "memory" and size is not None else known
        demand = -inf if size is None else -size
        yield ("", "", f"service {name}"), _Setting(text=text, demand=demand, line=line)


def _describe_needs(needs: Needs | None) -> dict[str, str]:
    if needs is None:
        return {}
    whose = "for each side" if needs.per_side else "for both sides"
    what = f"{', '.join(needs.services)} of {needs.compose} {whose}, within {format_exact(needs.timeout_s)} s"
    return {"needs": what}


def _profile_rows(profile: Profile) -> Iterator[_Row]:
    for name, size_s, demand in (
        ("duration", profile.duration_s, profile.duration_s),
        ("warmup", profile.warmup_s, -profile.warmup_s),  # what happens in it is not judged
    ):
        setting = _Setting(text=f"{format_exact(size_s)} s", demand=demand)
        yield ("", "", f"profile {profile.name} {name}"), setting


def _scenario_rows(scenario: Scenario) -> Iterator[_Row]:
    name, line = scenario.name, scenario.at.line
    yield from _load_rows(scenario)
    for accepted in scenario.accept:
        for status in accepted.statuses:
            setting = _Setting(text="accepted", presence=-1, line=accepted.at.line)
            yield (name, accepted.endpoint, f"accept {status}"), setting
    for endpoint in scenario.expected:
        yield (name, endpoint, "expected"), _Setting(text="expected", presence=1, line=line)
    for relaxed in scenario.relax:
        yield (
            (name, "", f"relax {relaxed.code}"),
            _Setting(text=relaxed.reason, presence=-1, line=relaxed.at.line),
        )
    share = scenario.compare_load  # less of it sees less
    yield (name, "", "compare_load"), _Setting(text=f"{format_exact(share * 100)}%", demand=share, line=line)
    for tolerance in scenario.regression:
        text = f"{format_exact(tolerance.ratio * 100)}%"
        setting = _Setting(text=text, demand=-tolerance.ratio, presence=1, line=tolerance.at.line)
        yield (name, "", f"tolerance {tolerance.metric}"), setting
    for limit in scenario.limits:
        metric = FAILURES if limit.metric == SUCCESSES else limit.metric
        over_s = metric.over_s
        if over_s is None:
            yield (name, limit.endpoint, metric.name), _limit_setting(limit)
            continue
        yield (name, limit.endpoint, f"{WORST} {metric.whole}"), _limit_setting(limit)
        # The worst of longer windows is never worse than that of shorter ones.
        length = _Setting(text=f"{format_exact(over_s)} s", demand=-over_s, line=_line_of(limit))
        yield (name, limit.endpoint, f"{WORST} {OVER}"), length


def _load_rows(scenario: Scenario) -> Iterator[_Row]:
    name, line = scenario.name, scenario.at.line
    for key, text in _locust_texts(scenario.locust):
        yield (name, "", key), _Setting(text=text, line=line)
    rate = scenario.spawn_rate
    if not scenario.locust.shape:
        yield (name, "", "spawn_rate"), _Setting(text=f"{format_exact(rate)}/s", demand=rate, line=line)
    if scenario.arrivals_per_s is not None:
        arrivals, ramp_s = scenario.arrivals_per_s, scenario.ramp_s
        yield (name, "", "arrivals"), _Setting(text=f"{format_exact(arrivals)}/s", demand=arrivals, line=line)
        yield (name, "", "ramp"), _Setting(text=f"{format_exact(ramp_s)} s", demand=-ramp_s, line=line)
    for user in scenario.users:
        setting = _Setting(text=str(user.count), demand=user.count, presence=1, line=user.at.line)
        yield (name, "", f"users {user.user_class}"), setting


def _locust_texts(locust: LocustSettings) -> Iterator[tuple[str, str]]:
    """Each changes the load in a way that is not known: what is removed or added is a change, too."""
    yield "locustfile", locust.name
    lists = {"args": locust.args, "tags": locust.tags, "exclude_tags": locust.exclude_tags}
    yield from ((name, shlex.join(words)) for name, words in lists.items() if words)
    for name, text in (("directory", locust.directory), ("host", locust.host), ("shape", locust.shape)):
        if text:
            yield name, text
    yield from ((f"env {name}", text) for name, text in locust.env)


def _limit_setting(limit: Limit) -> _Setting:
    """``successes: 99%`` is another way to write ``failures: 1%``."""
    most = limit.max_failures
    demand = -limit.metric.worse * limit.bound if most is None else -float(most)
    text = f"successes {limit.text}" if limit.metric == SUCCESSES else limit.text
    text += "" if limit.at else " (default)"
    return _Setting(text=text, demand=demand, presence=1, line=_line_of(limit))


def _line_of(limit: Limit) -> int | None:
    return limit.at.line if limit.at else None


def _file_settings(files: Mapping[str, str]) -> dict[_Key, _Setting]:
    return {("", "", f"file {path}"): _Setting(text=digest[:12]) for path, digest in files.items()}
