"""`ci-gate try`: a locustfile and a URL, judged as a run is, without a thresholds.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ci_gate.cli.json_output import format_option
from ci_gate.cli.options import make_options, service_environment
from ci_gate.cli.run import measure_and_judge, out_option, quiet_option
from ci_gate.errors import BadInputError, OutsideError, UsageError
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import ALL_ENDPOINTS, DEFAULT_FILE, LocustSettings, Thresholds, parse_thresholds
from ci_gate.thresholds.yaml.text import write_scalar

_PROFILE: Final = "pull_request"  # what `ci-gate run` takes, once --write has made the file
_SCENARIO: Final = "first"
_MAX_SPAWN_RATE: Final = 10
_LIMIT: Final = re.compile(r"(?:(?P<endpoint>\S+ .*\S) )?(?P<metric>[^\s:]+)\s*:\s*(?P<bound>\S+)")
_LIMIT_FORM: Final = "'p95: 300ms' of all requests, or 'GET /items p95: 300ms' of one endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of the file, and the option that it is made of."""

    text: str
    option: str = ""


@click.command("try")
@click.argument("locustfile")
@click.option("--url", required=True, help="Where the service is: http://127.0.0.1:8000.")
@click.option("--users", type=click.IntRange(1), default=20, show_default=True, help="Of all classes.")
@click.option("--duration", default="30s", show_default=True, help="Of the phase that is judged.")
@click.option("--limit", "limits", multiple=True, help=f"{_LIMIT_FORM}; may be given again.")
@click.option("--write", "writes", is_flag=True, help=f"Write {DEFAULT_FILE} of these options.")
@out_option
@quiet_option
@format_option
def try_command(  # noqa: PLR0913 - one parameter for each option
    locustfile: str,
    url: str,
    users: int,
    duration: str,
    limits: tuple[str, ...],
    out: Path | None,
    *,
    writes: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Put the load of LOCUSTFILE on a service that runs at --url, and judge it, without a thresholds.yaml.

    Recorded, judged and shown as by `ci-gate run`. Its user classes share --users by their weights, as Locust
    shares them. Without --limit the only one is at most 1 % failures. LOCUSTFILE is in this folder or below.
    """
    if writes and Path(DEFAULT_FILE).exists():
        raise UsageError(f"{DEFAULT_FILE} is there already: --write would write over it")
    lines = _write_lines(_path_from_here(locustfile), url, users, duration, limits)
    thresholds = _parse(lines)
    options = make_options(thresholds, (), _PROFILE, base=None, out=out)
    if writes:
        _write(thresholds)
    return measure_and_judge(options, quiet=quiet, as_json=as_json)


def _path_from_here(locustfile: str) -> str:
    path, here = Path(locustfile).absolute(), Path.cwd()
    if not path.is_file():
        raise UsageError(f"{locustfile}: there is no such file")
    if not path.resolve().is_relative_to(here.resolve()):
        raise UsageError(f"{locustfile} is not in this folder: go to the repository's folder first")
    return path.resolve().relative_to(here.resolve()).as_posix()


def _write_lines(
    locustfile: str, url: str, users: int, duration: str, limits: tuple[str, ...]
) -> tuple[_Line, ...]:
    settings = LocustSettings(locustfiles=(locustfile,))
    workload = describe_workloads([settings], Path.cwd(), service_environment())[settings]
    if workload.error or not workload.classes:
        raise UsageError(f"{locustfile}: {workload.error or 'it has no user class that could run'}")
    if users < len(workload.classes):
        raise UsageError(f"{locustfile} has {len(workload.classes)} user classes: it needs as many --users")
    weights = {each.name: each.weight for each in workload.classes}
    return _draft(share_by_weight(weights, users), locustfile, url, duration, limits)


def share_by_weight(weights: Mapping[str, int], users: int) -> dict[str, int]:
    """How many of ``users`` each class gets, one at least: each user goes to the class that lacks most."""
    shares = dict.fromkeys(weights, 1)
    exact = {name: users * weight / sum(weights.values()) for name, weight in weights.items()}
    for _ in range(users - len(weights)):
        shares[max(shares, key=lambda name: exact[name] - shares[name])] += 1
    return shares


def _draft(
    users: dict[str, int], locustfile: str, url: str, duration: str, limits: tuple[str, ...]
) -> tuple[_Line, ...]:
    return (
        _Line(
            text="# Written by `ci-gate try`. So that a service is started afresh and can be compared with"
        ),
        _Line(text="# base, say how it starts: command, image or dockerfile in place of url."),
        _Line(text="schema: 1"),
        _Line(text="service:"),
        _Line(text=f"  url: {write_scalar(url)}", option="--url"),
        _Line(text="  ready: {tcp: true}"),
        _Line(text="profiles:"),
        _Line(text=f"  {_PROFILE}: {{duration: {write_scalar(duration)}, warmup: 2s}}", option="--duration"),
        _Line(text="scenarios:"),
        _Line(text=f"  {_SCENARIO}:"),
        _Line(text=f"    locustfile: {write_scalar(locustfile)}", option="LOCUSTFILE"),
        _Line(text="    users:"),
        *(
            _Line(text=f"      {write_scalar(name)}: {each}", option="--users")
            for name, each in users.items()
        ),
        _Line(text=f"    spawn_rate: {min(sum(users.values()), _MAX_SPAWN_RATE)}"),
        _Line(text="    limits:"),
        *_limit_lines(limits),
    )


def _limit_lines(limits: tuple[str, ...]) -> list[_Line]:
    by_endpoint: dict[str, list[_Line]] = {ALL_ENDPOINTS: []}
    for limit in limits:
        found = _LIMIT.fullmatch(limit.strip())
        if found is None:
            raise UsageError(f"--limit {limit!r} cannot be read (allowed: {_LIMIT_FORM})")
        text = f"        {write_scalar(found['metric'])}: {write_scalar(found['bound'])}"
        line = _Line(text=text, option=f"--limit {limit!r}")
        by_endpoint.setdefault(found["endpoint"] or ALL_ENDPOINTS, []).append(line)
    if not any("failures" in each.text or "successes" in each.text for each in by_endpoint[ALL_ENDPOINTS]):
        by_endpoint[ALL_ENDPOINTS].append(_Line(text="        failures: 1%"))
    lines: list[_Line] = []
    for endpoint, its_lines in by_endpoint.items():
        lines += [_Line(text=f"      {write_scalar(endpoint)}:", option=its_lines[0].option), *its_lines]
    return lines


def _parse(lines: tuple[_Line, ...]) -> Thresholds:
    """Raises UsageError with the option in place of the line, in a file that nobody wrote."""
    try:
        return parse_thresholds("".join(f"{line.text}\n" for line in lines), DEFAULT_FILE)
    except BadInputError as error:
        messages = (
            f"{lines[each.line - 1].option or each.file}: {each.message} (allowed: {each.allowed})"
            for each in error.problems
        )
        raise UsageError("\n".join(messages)) from error


def _write(thresholds: Thresholds) -> None:
    try:
        with Path(thresholds.file).open("x", encoding="utf-8") as file:
            file.write(thresholds.text)
    except OSError as error:
        raise OutsideError(f"cannot write {thresholds.file}: {error.strerror}") from error
    click.echo(f"wrote {thresholds.file}: the same again by `ci-gate run`", err=True)
