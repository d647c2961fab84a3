"""The commands that talk to GitHub; each returns its exit code."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import click

from ci_gate.cli.json_output import format_option, print_json
from ci_gate.errors import UsageError
from ci_gate.github.api.transport import Patience, Transport, open_transport
from ci_gate.github.doctor.doctor import DEFAULT_CHECK, examine_repository, render_examination
from ci_gate.github.earlier_history import WORKFLOW
from ci_gate.github.key import DEFAULT_KEY
from ci_gate.github.plan_job import split_names
from ci_gate.github.publication import CommentWhen, PublishOptions
from ci_gate.github.publish import publish
from ci_gate.thresholds import DEFAULT_FILE

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("publish")
@click.argument("verdict_file", metavar="[VERDICT]", type=_FILE, required=False)
@click.option("--thresholds", "thresholds_file", default=DEFAULT_FILE, show_default=True)
@click.option("--repository", type=_FOLDER, default=Path(), help="A checkout of head.  [default: here]")
@click.option("--base", type=_FOLDER, help="A checkout of base, to see what thresholds.yaml loosens.")
@click.option("--review", type=_FILE, help="Of both sides, by `ci-gate review`; instead of checkouts.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    help="Of the other run, where it measures not all; or with commas.",
)
@click.option("--check", default=DEFAULT_CHECK, show_default=True, help="Of the other run: its deciding job.")
@click.option(
    "--comment",
    type=click.Choice(get_args(CommentWhen)),
    default="always",
    show_default=True,
    help="When to make one; one that is there is kept up to date.",
)
@click.option(
    "--only-comment", is_flag=True, help="Nothing else, and end with 0: after the uploads that it leads to."
)
@click.option("--page-url", default="", help="Where report.html was uploaded to, for the comment to lead to.")
@click.option("--status", default="", help="Also set a commit status of this name.")
@click.option("--author", default="", help="Who writes the comment.  [default: whom the token belongs to]")
@click.option(
    "--key", default=DEFAULT_KEY, show_default=True, help="Tells this gate from others: comment and artifact."
)
@click.option(
    "--history-workflow",
    default=WORKFLOW,
    show_default=True,
    help="The file of the workflow that keeps the base branch's history; empty: say nothing of trends.",
)
def publish_command(*, scenarios: tuple[str, ...], **values: object) -> int:
    """Say what VERDICT (a verdict.json) says where people look, from inside a GitHub workflow.

    Writes the job summary and annotations, keeps one comment on the pull request up to date, and ends with
    the verdict's own exit code. Where the token may not comment, as for a fork, summary and artifact remain.
    In a workflow_run job, without VERDICT, it publishes the artifact of the run that ended, believing it
    nothing but its figures.
    """
    values["scenarios"] = split_names(",".join(scenarios))
    options = PublishOptions(**values)  # type: ignore[arg-type]  # the options are named as its fields are
    with connect() as transport:
        return publish(options, environ=os.environ, transport=transport, out=sys.stdout)


@click.command("doctor")
@click.option("--github-repository", default="", help="owner/name.  [default: GITHUB_REPOSITORY]")
@click.option("--repository", type=_FOLDER, default=Path(), help="A checkout of it.  [default: here]")
@click.option("--branch", default="", help="That is merged into.  [default: the default branch]")
@click.option("--check", default=DEFAULT_CHECK, show_default=True, help="The check that must be required.")
@format_option
def doctor_command(
    github_repository: str, repository: Path, branch: str, check: str, *, as_json: bool
) -> int:
    """Read the repository's rules and workflows; print whether the gate blocks a merge, and what to fix.

    How safe the workflows are (pinned actions, permissions) is for zizmor to say.

    Needs GITHUB_TOKEN. Exit code 0 if it blocks, 1 if not.
    """
    name = github_repository or os.environ.get("GITHUB_REPOSITORY", "")
    if not name:
        raise UsageError("which repository? Give --github-repository owner/name, or set GITHUB_REPOSITORY")
    with connect() as transport:
        if transport is None:
            raise UsageError("reading a repository's rules takes a token: set GITHUB_TOKEN")
        found = examine_repository(
            transport=transport,
            github_repository=name,
            repository=repository,
            branch=branch,
            check=check,
        )
    if as_json:
        print_json(found)
    else:
        click.echo(render_examination(found), nl=False)
    return found.exit_code


@contextmanager
def connect() -> Iterator[Transport | None]:
    """A transport by the environment; None without a token."""
    patience = Patience(sleep=time.sleep, jitter=random.random, monotonic_s=time.monotonic, wall_s=time.time)
    with open_transport(os.environ, patience) as transport:
        yield transport
