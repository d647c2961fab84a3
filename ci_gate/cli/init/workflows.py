"""The two workflow files that `ci-gate init` drafts. Pure text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Final

from ci_gate.cli.init.repository import Repository
from ci_gate.thresholds import DEFAULT_FILE
from ci_gate.thresholds.yaml.text import write_scalar

ACTION: Final = "OWNER/ci-gate@v1"
GATE_WORKFLOW: Final = ".github/workflows/load-gate.yml"
COMMENT_WORKFLOW: Final = ".github/workflows/load-gate-comment.yml"
_SET_UP_PYTHON: Final = "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0"


def draft_gate(repository: Repository, folder: str) -> str:
    """The workflow that measures; thresholds.yaml lies in ``folder``, as `draft_files` has it."""
    step = ["      - name: Load gate", f"        uses: {ACTION}", *_inputs(folder)]
    lines = [*_install(repository, folder), *_secrets(repository), *step]
    return read_template("load-gate.yml") + "".join(f"{line}\n" for line in lines)


def draft_comment(folder: str) -> str:
    """The workflow that comments on forks' pull requests."""
    return read_template("load-gate-comment.yml") + "".join(f"{line}\n" for line in _inputs(folder))


def read_template(name: str) -> str:
    """The text of a file in templates/."""
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _inputs(folder: str) -> Iterator[str]:
    """Where thresholds.yaml lies, unless it is where the action looks by itself."""
    if folder:
        yield "        with:"
        yield f"          thresholds: {write_scalar(folder + DEFAULT_FILE)}"


def _install(repository: Repository, folder: str) -> Iterator[str]:
    """What a command needs on the runner; an image brings its own."""
    if repository.dockerfile is None and repository.install:
        if repository.install.startswith("python "):
            yield "      - name: Set up Python"
            yield f"        uses: {_SET_UP_PYTHON}"
            yield "        with:"
            yield '          python-version: "3.13"'
        yield "      - name: Install the service"
        yield f"        run: {write_scalar(repository.install)}"
        if folder:
            yield f"        working-directory: {write_scalar(folder)}"


def _secrets(repository: Repository) -> Iterator[str]:
    variables = repository.compose.variables if repository.compose else ()
    if variables:
        yield f"      # The service's own variables are set in the job, as env: {', '.join(variables)}"
