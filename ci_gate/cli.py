"""The command line: reads arguments, calls, prints, and turns every ending into an exit code."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

import click

from ci_gate import __version__
from ci_gate.errors import EXIT_OUR_BUG, EXIT_PASS, EXIT_PROVES_NOTHING, BadInputError, GateError, UsageError
from ci_gate.evidence import read_recordings, read_run
from ci_gate.judge.feasibility import find_problems, find_unprovable, offered_rate
from ci_gate.judge.verdict import Verdict, decode_verdict, encode_verdict, judge
from ci_gate.measure.workloads import describe_workloads
from ci_gate.plan import RunRequest
from ci_gate.progress import ProgressPrinter
from ci_gate.report.markdown import render_markdown
from ci_gate.report.terminal import render_terminal
from ci_gate.run import run_scenarios
from ci_gate.thresholds import ALL_ENDPOINTS, Profile, Scenario, Thresholds, parse_thresholds

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

thresholds_option = click.option(
    "--thresholds",
    "thresholds_file",
    type=_FILE,
    default=Path("thresholds.yaml"),
    show_default=True,
    help="The file of scenarios and limits; its folder is the repository.",
)

EXIT_CODES = """\b
Exit codes:
  0   PASS        every limit was measured and kept
  1   FAIL        a limit is broken
  2   bad input   thresholds.yaml, evidence or arguments are wrong
  3   INVALID     the run proves nothing (or INCONCLUSIVE, where that blocks)
  4   outside     something ci-gate depends on failed: Docker, the service's start, the disk
  70  bug         ours; please report it
"""


@click.group(
    epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="ci-gate")
def cli() -> None:
    """Decides whether a web service may merge under load."""


@cli.command(short_help="Check thresholds.yaml and its locustfiles, without load.")
@thresholds_option
def check(thresholds_file: Path) -> int:
    """Check thresholds.yaml and the locustfiles it names, without any load.

    Reports every problem at once with file, line, column and what is allowed; then says, per scenario, what
    rate its users can offer, and which percentiles a profile is too short to prove.
    """
    thresholds = _read_thresholds(thresholds_file)
    workloads = describe_workloads(
        (scenario.locustfile for scenario in thresholds.scenarios), thresholds_file.parent, _environment()
    )
    if problems := find_problems(thresholds, workloads):
        raise BadInputError(*problems)
    for scenario in thresholds.scenarios:
        offered = offered_rate(scenario, workloads[scenario.locustfile], ALL_ENDPOINTS)
        rate = "a rate that cannot be told before" if offered is None else f"at most {offered:,.1f}/s"
        click.echo(
            f"{scenario.name}: {scenario.user_count:,} users offer {rate}; {len(scenario.limits)} limits"
        )
    for unprovable in find_unprovable(thresholds, workloads):
        click.echo(f"too short: {unprovable}")
    click.echo(f"{thresholds_file}: {len(thresholds.scenarios)} scenarios, no problem")
    return EXIT_PASS


@cli.command(short_help="Start the service, put the load on it, judge.")
@thresholds_option
@click.option("--scenario", "names", multiple=True, help="Run only this one; may be given again.")
@click.option(
    "--profile", "profile_name", default="pull_request", show_default=True, help="How long to measure."
)
@click.option("--base", help="Compare with this git revision, image or URL, both under load at once.")
@click.option("--out", type=_FOLDER, help="Where evidence goes; new or empty.  [default: ci-gate-out/<time>]")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def run(
    thresholds_file: Path,
    names: tuple[str, ...],
    profile_name: str,
    base: str | None,
    out: Path | None,
    *,
    quiet: bool,
) -> int:
    """Start the service, put each scenario's load on it, judge, and print the table.

    Evidence, verdict.json and report.md stay in --out. Ctrl-C ends everything cleanly; what was measured
    until then stays readable.
    """
    thresholds = _read_thresholds(thresholds_file)
    profile, scenarios = _choose_profile(thresholds, profile_name), _choose_scenarios(thresholds, names)
    out = out or Path("ci-gate-out") / dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H%M%SZ")
    workloads = describe_workloads(
        (scenario.locustfile for scenario in thresholds.scenarios), thresholds_file.parent, _environment()
    )
    if problems := find_problems(thresholds, workloads):
        raise BadInputError(*problems)
    progress = ProgressPrinter(sys.stderr, quiet=quiet)
    for unprovable in find_unprovable(thresholds, workloads):
        if unprovable.profile == profile.name and unprovable.scenario in {each.name for each in scenarios}:
            progress.say(f"this run cannot pass: {unprovable}")
    request = RunRequest(
        thresholds=thresholds,
        profile=profile,
        scenarios=scenarios,
        workloads=workloads,
        out=out,
        repository=thresholds_file.resolve().parent,
        environ=_environment(),
        base=base,
        seed=secrets.randbits(32),
    )
    run_scenarios(request, progress)
    return _conclude(_judge_folder(out, thresholds), out)


@cli.command("judge", short_help="Judge evidence again, without load.")
@click.argument("evidence", type=_FOLDER)
@click.option(
    "--thresholds",
    "thresholds_file",
    type=_FILE,
    help="Judge by this file instead of the one it was measured with.",
)
def judge_command(evidence: Path, thresholds_file: Path | None) -> int:
    """Judge an evidence folder again, without load, and write its verdict.json and report.md anew."""
    thresholds = _read_thresholds(thresholds_file) if thresholds_file else None
    return _conclude(_judge_folder(evidence, thresholds), evidence)


@cli.command(short_help="Render a verdict as Markdown or text.")
@click.argument("verdict_file", type=_FILE)
@click.option(
    "--format", "form", type=click.Choice(["markdown", "text"]), default="markdown", show_default=True
)
def report(verdict_file: Path, form: str) -> int:
    """Render VERDICT_FILE (a verdict.json) on standard output."""
    try:
        verdict = decode_verdict(verdict_file.read_bytes())
    except OSError as error:
        raise UsageError(f"{verdict_file}: {error.strerror}") from error
    click.echo(render_markdown(verdict) if form == "markdown" else render_terminal(verdict), nl=False)
    return EXIT_PASS


def _read_thresholds(path: Path) -> Thresholds:
    try:
        return parse_thresholds(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def _environment() -> dict[str, str]:
    """Ours, with ``python`` the interpreter that runs ci-gate, be its virtual environment active or not."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


def _choose_profile(thresholds: Thresholds, name: str) -> Profile:
    profile = thresholds.profile(name)
    if profile is None:
        known = ", ".join(each.name for each in thresholds.profiles)
        raise UsageError(f"{thresholds.file} has no profile {name!r} (allowed: {known})")
    return profile


def _choose_scenarios(thresholds: Thresholds, names: tuple[str, ...]) -> tuple[Scenario, ...]:
    known = {scenario.name: scenario for scenario in thresholds.scenarios}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(
            f"{thresholds.file} has no scenario {', '.join(unknown)} (allowed: {', '.join(known)})"
        )
    return tuple(known[name] for name in dict.fromkeys(names)) or thresholds.scenarios


def _judge_folder(folder: Path, thresholds: Thresholds | None) -> Verdict:
    info = read_run(folder)
    thresholds = thresholds or parse_thresholds(info.thresholds_text, info.thresholds_file)
    return judge(thresholds, info, read_recordings(folder, info))


def _conclude(verdict: Verdict, folder: Path) -> int:
    (folder / "verdict.json").write_bytes(encode_verdict(verdict))
    (folder / "report.md").write_text(render_markdown(verdict), encoding="utf-8")
    click.echo(render_terminal(verdict))
    click.echo(f"evidence, verdict.json and report.md: {folder}")
    return verdict.exit_code


def run_cli(arguments: list[str] | None = None) -> None:
    """The entry point: the only place that catches everything, and that ends the process."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(arguments, prog_name="ci-gate", standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: the evidence so far is kept; `ci-gate judge` reads it", err=True)
        code = EXIT_PROVES_NOTHING
    except GateError as error:
        click.echo(f"ci-gate: {error}", err=True)
        code = error.exit_code
    except Exception:  # noqa: BLE001 - the one boundary
        traceback.print_exc()
        click.echo("ci-gate: this is a bug in ci-gate; please report it with the lines above", err=True)
        code = EXIT_OUR_BUG
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    run_cli()
