"""`ci-gate try`: a locustfile and a URL, judged as a run is, without a thresholds.yaml."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from ci_gate.cli.json_output import format_option
from ci_gate.cli.options import make_options, service_environment
from ci_gate.cli.run import measure_and_judge, out_option, quiet_option
from ci_gate.errors import BadInputError, OutsideError, UsageError
from ci_gate.evidence.workload import share_by_weight
from ci_gate.measure.locustfile.workloads import describe_workloads
from ci_gate.thresholds import ALL_ENDPOINTS, DEFAULT_FILE, Thresholds, parse_thresholds
from ci_gate.thresholds.yaml.text import write_scalar, write_text

_PROFILE: Final = "pull_request"  # what `ci-gate run` takes, once --write has made the file
_SCENARIO: Final = "first"
_USERS: Final = 20
_MAX_SPAWN_RATE: Final = 10
_LIMIT: Final = re.compile(r"(?:(?P<endpoint>\S+ .*\S) )?(?P<metric>[^\s:]+)\s*:\s*(?P<bound>\S+)")
_LIMIT_FORM: Final = "'p95: 300ms' of all requests, or 'GET /items p95: 300ms' of one endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of the file, and the option that it is made of."""

    text: str
    option: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What Locust is given beside users and service: the keys of a scenario of the same names, as texts."""

    args: str | None
    env: tuple[str, ...]  # NAME=TEXT, or NAME, whose value is the environment's
    tags: tuple[str, ...]
    exclude_tags: tuple[str, ...]
    host: str | None
    directory: str | None
    shape: str | None


@click.command("try")
@click.argument("locustfile")
@click.option("--url", required=True, help="Where the service is: http://127.0.0.1:8000.")
@click.option("--users", type=click.IntRange(1), help=f"Of all classes.  [default: {_USERS}]")
@click.option("--duration", default="30s", show_default=True, help="Of the phase that is judged.")
@click.option("--limit", "limits", multiple=True, help=f"{_LIMIT_FORM}; may be given again.")
@click.option("--args", help="'--tenant acme': values for options that the locustfile adds.")
@click.option(
    "--env",
    multiple=True,
    metavar="NAME=TEXT",
    help="A variable of the locustfile; NAME alone: ${NAME}, which is the environment's. May be given again.",
)
@click.option("--tags", multiple=True, help="Only tasks with this tag; may be given again.")
@click.option("--exclude-tags", multiple=True, help="No tasks with this tag; may be given again.")
@click.option("--host", help="Of users that are no HTTP users: 127.0.0.1:5432.")
@click.option("--directory", help="Locust's working folder, for relative paths.")
@click.option("--shape", help="The LoadTestShape that says how many users run; --users scales it.")
@click.option(
    "--relax",
    multiple=True,
    metavar="CODE=REASON",
    help="A finding that is to block nothing, and why; may be given again.",
)
@click.option("--write", "writes", is_flag=True, help=f"Write {DEFAULT_FILE} of these options.")
@out_option
@quiet_option
@format_option
def try_command(  # noqa: PLR0913 - one parameter for each option
    locustfile: str,
    url: str,
    users: int | None,
    duration: str,
    limits: tuple[str, ...],
    relax: tuple[str, ...],
    out: Path | None,
    *,
    writes: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - the fields of _Given
) -> int:
    """Put the load of LOCUSTFILE on a service that runs at --url, and judge it, without a thresholds.yaml.

    Recorded, judged and shown as by `ci-gate run`. Its user classes share --users by their weights, as Locust
    shares them. Without --limit the only one is at most 1 % failures. LOCUSTFILE, a
    Python file or a folder of them, is in this folder or below.
    """
    if writes and Path(DEFAULT_FILE).exists():
        raise UsageError(f"{DEFAULT_FILE} is there already: --write would write over it")
    scenario = (
        _Line(text=f"    locustfile: {write_scalar(_path_from_here(locustfile))}", option="LOCUSTFILE"),
        *_write_given(_Given(**given)),
        *_write_map("relax", relax),
    )
    shape = given["shape"]
    load = () if shape else _share_users(locustfile, scenario, users or _USERS)
    thresholds = _parse((*_draft(url, duration), *scenario, *load, *_limit_lines(limits)))
    options = make_options(thresholds, (), _PROFILE, base=None, out=out, users=users if shape else None)
    if writes:
        _write(thresholds, f" --users {users}" if shape and users else "")
    return measure_and_judge(options, quiet=quiet, as_json=as_json)


def _path_from_here(locustfile: str) -> str:
    path, here = Path(locustfile).absolute(), Path.cwd()
    if not path.exists():
        raise UsageError(f"{locustfile}: there is no such file")
    if not path.resolve().is_relative_to(here.resolve()):
        raise UsageError(f"{locustfile} is not in this folder: go to the repository's folder first")
    end = "/" if path.is_dir() else ""
    return path.resolve().relative_to(here.resolve()).as_posix() + end


def _write_given(given: _Given) -> Iterator[_Line]:
    if given.directory:
        yield _Line(text=f"    directory: {write_scalar(given.directory)}", option="--directory")
    yield from _write_map("env", given.env, unset="${{{}}}")
    if given.args:
        yield _Line(text=f"    args: {_write_list(_split(given.args))}", option="--args")
    if given.tags:
        yield _Line(text=f"    tags: {_write_list(given.tags)}", option="--tags")
    if given.exclude_tags:
        yield _Line(text=f"    exclude_tags: {_write_list(given.exclude_tags)}", option="--exclude-tags")
    if given.host:
        yield _Line(text=f"    host: {write_scalar(given.host)}", option="--host")
    if given.shape:
        yield _Line(text=f"    shape: {write_scalar(given.shape)}", option="--shape")


def _write_map(key: str, given: tuple[str, ...], *, unset: str = "") -> Iterator[_Line]:
    """``NAME=TEXT`` of each; NAME alone is ``unset``, with the name for its {}."""
    if given:
        yield _Line(text=f"    {key}:", option=f"--{key}")
    for each in given:
        name, is_set, text = each.partition("=")
        value = text if is_set else unset.format(name)
        yield _Line(text=f"      {write_scalar(name)}: {write_text(value)}", option=f"--{key} {each!r}")


def _split(args: str) -> list[str]:
    try:
        return shlex.split(args)
    except ValueError as error:
        raise UsageError(f"--args {args!r} cannot be read: {error}") from error


def _write_list(words: Iterable[str]) -> str:
    return f"[{', '.join(map(write_text, words))}]"


def _share_users(locustfile: str, scenario: tuple[_Line, ...], users: int) -> tuple[_Line, ...]:
    """The users of each class that has a task to run, given what the scenario says so far."""
    one = (_Line(text="    users: {User: 1}"), _Line(text="    spawn_rate: 1"), *_limit_lines(()))
    settings = _parse((*_draft("http://127.0.0.1:9", "30s"), *scenario, *one)).scenarios[0].locust
    workload = describe_workloads([settings], Path.cwd(), service_environment())[settings]
    if workload.error or not workload.classes:
        raise UsageError(f"{locustfile}: {workload.error or 'it has no user class that could run'}")
    classes = [
        each for each in workload.classes if each.tasks or not (settings.tags or settings.exclude_tags)
    ]
    if not classes:
        raise UsageError(f"{locustfile}: --tags and --exclude-tags leave no class a task")
    if users < len(classes):
        raise UsageError(f"{locustfile} has {len(classes)} user classes: it needs as many --users")
    shares = share_by_weight(classes, users)
    return (
        _Line(text="    users:"),
        *(
            _Line(text=f"      {write_scalar(name)}: {each}", option="--users")
            for name, each in shares.items()
        ),
        _Line(text=f"    spawn_rate: {min(users, _MAX_SPAWN_RATE)}"),
    )


def _draft(url: str, duration: str) -> tuple[_Line, ...]:
    return (
        _Line(
            text="# Written by `ci-gate try`. So that a service is started afresh and can be compared with"
        ),
        _Line(text="# base, say how it starts: command, image or dockerfile in place of url."),
        _Line(text="schema: 1"),
        _Line(text="service:"),
        _Line(text=f"  url: {write_scalar(url)}", option="--url"),
        _Line(text="  ready: {tcp: true}"),
        _Line(text="  ready_timeout: 10s"),
        _Line(text="profiles:"),
        _Line(text=f"  {_PROFILE}: {{duration: {write_scalar(duration)}, warmup: 2s}}", option="--duration"),
        _Line(text="scenarios:"),
        _Line(text=f"  {_SCENARIO}:"),
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
    lines = [_Line(text="    limits:")]
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


def _write(thresholds: Thresholds, more: str) -> None:
    try:
        with Path(thresholds.file).open("x", encoding="utf-8") as file:
            file.write(thresholds.text)
    except OSError as error:
        raise OutsideError(f"cannot write {thresholds.file}: {error.strerror}") from error
    click.echo(f"wrote {thresholds.file}: the same again by `ci-gate run{more}`", err=True)
