"""The commands that render what was judged; each returns its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ci_gate.errors import EXIT_PASS
from ci_gate.report.files import FORMATS, find_runs, read_timeline, read_verdict
from ci_gate.report.html.overview import render_overview
from ci_gate.report.html.report import render_html
from ci_gate.report.output import write_document
from ci_gate.report.report import Report
from ci_gate.wording import count

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("verdict_file", type=_FILE)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, "html"]),
    default="markdown",
    show_default=True,
    help="html draws its charts from the timeline.json beside the verdict.",
)
def report(verdict_file: Path, form: str) -> int:
    """Render VERDICT_FILE (a verdict.json) on standard output."""
    verdict = read_verdict(verdict_file)
    if form == "html":
        text = render_html(Report(verdict=verdict), read_timeline(verdict_file.parent))
    else:
        text = FORMATS[form].render(verdict)
    if form == "text":
        click.echo(text, nl=False)
    else:
        write_document(sys.stdout, text)
    return EXIT_PASS


@click.command()
@click.argument(
    "folders", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False)
)
@click.option("--out", type=_FILE, default=Path("overview.html"), show_default=True, help="The page.")
def overview(folders: tuple[Path, ...], out: Path) -> int:
    """Join runs into one HTML page: where each scenario stands, and its trend from run to run.

    RUN is a folder with a verdict.json, or one with such folders below it: `ci-gate overview ci-gate-out`
    shows every run of this repository. Rows lead to each run's own report.html.
    """
    runs = find_runs(folders, out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render_overview(runs), encoding="utf-8", errors="backslashreplace")
    click.echo(f"{count(len(runs), 'run')}: {out}")
    return EXIT_PASS
