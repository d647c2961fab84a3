"""The command that turns evidence into a table for other tools."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import TextIO

import click
import msgspec

from ci_gate.errors import EXIT_PASS, EvidenceError, UsageError
from ci_gate.evidence.recording import HEAD, RecordingPlan, RunInfo, read_recordings, read_run
from ci_gate.report.csv import COLUMNS, export_rows
from ci_gate.thresholds import parse_thresholds
from ci_gate.wording import count

_WIDTH = max(map(len, COLUMNS))
_LEGEND = "\n".join(["\b", "Columns:", *(f"  {name:{_WIDTH}}  {what}" for name, what in COLUMNS.items())])


@click.command(epilog=_LEGEND)
@click.argument("evidence", type=click.Path(path_type=Path, file_okay=False))
@click.option("--scenario", "names", multiple=True, help="Only this one; may be given again.")
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    default=[HEAD],
    show_default=True,
    help="head, duet-base or duet-head, confirm-base or confirm-head; may be given again.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here, not to stdout.")
def export(evidence: Path, names: tuple[str, ...], recordings: tuple[str, ...], out: Path | None) -> int:
    """Write every request in EVIDENCE as CSV, a row each, exactly as it was recorded.

    The text is UTF-8 and as in RFC 4180. What is success comes from the thresholds that were measured by. A
    text that begins with =, +, -, @, ', a tab or an end of line gets a ' before it, lest a spreadsheet take a
    name or an error for a formula: drop the first ' of a text to have the original.
    """
    info = read_run(evidence)
    plans = _choose(info, names, recordings)
    try:
        with _open_out(out) as file:
            rows = _write(evidence, info, plans, file)
    except BrokenPipeError:  # the reader has all it wants, as `head` does
        return EXIT_PASS
    if out:
        click.echo(f"{count(rows, 'request')}: {out}", err=True)
    return EXIT_PASS


def _choose(info: RunInfo, names: tuple[str, ...], recordings: tuple[str, ...]) -> list[RecordingPlan]:
    scenarios = dict.fromkeys(plan.scenario for plan in info.recordings)
    kinds = dict.fromkeys(plan.recording for plan in info.recordings)
    for what, asked, known in (("scenario", names, scenarios), ("recording", recordings, kinds)):
        if unknown := [name for name in asked if name not in known]:
            raise UsageError(f"there is no {what} {', '.join(unknown)} (allowed: {', '.join(known)})")
    return [
        plan
        for plan in info.recordings
        if plan.recording in recordings and plan.scenario in (names or scenarios)
    ]


def _open_out(out: Path | None) -> TextIO:
    if out is None:
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="")
    try:
        return out.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error


def _write(evidence: Path, info: RunInfo, plans: list[RecordingPlan], file: TextIO) -> int:
    """The number of requests written; one recording is in memory at a time."""
    thresholds = parse_thresholds(info.thresholds_text, info.thresholds_file)
    # Ended by CR LF: only then does the csv module quote every text with either of them in it.
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    written = 0
    for plan in plans:
        found = read_recordings(evidence, msgspec.structs.replace(info, recordings=(plan,)))
        if not found:
            click.echo(f"{plan.scenario}: there is no evidence of {plan.recording}", err=True)
            continue
        (recording,) = found.values()
        scenario = thresholds.scenario(plan.scenario)
        writer.writerows(export_rows(plan, recording, scenario.accept if scenario else ()))
        written += len(recording.samples)
    if not written:
        raise EvidenceError(f"{evidence}: no request was recorded")
    return written
