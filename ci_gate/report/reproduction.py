"""How a reader runs the same again: the commits that they can have, and every option that mattered."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from ci_gate.judge.outcome import Outcome
from ci_gate.judge.verdict import ScenarioVerdict, Verdict
from ci_gate.report.document import Piece, Rank
from ci_gate.report.escape import COMMIT, MAX_NAME_LENGTH, clean
from ci_gate.report.reasons import MAX_REASONS
from ci_gate.thresholds import DEFAULT_FILE

_BASE_FOLDER: Final = "../gate-base"


def make_reproduction(verdict: Verdict, scenarios: Sequence[ScenarioVerdict]) -> Piece:
    """A folded block of commands that run the same again; empty where nothing was measured."""
    script = "\n".join(["```sh", *list_commands(verdict, scenarios), "```"])
    items = (script,) if scenarios else ()
    return Piece(items=items, noun="command", rank=Rank.REASONS, fold="How to reproduce")


def list_commands(verdict: Verdict, scenarios: Sequence[ScenarioVerdict]) -> tuple[str, ...]:
    """Lines of a shell that run the same again; only what did not pass, where that is little."""
    command = ["ci-gate", "run", "--profile", verdict.profile]
    for scenario in scenarios:
        if scenario.outcome != Outcome.PASS and len(scenarios) <= MAX_REASONS:
            command += ["--scenario", scenario.name]
    if verdict.thresholds_file != DEFAULT_FILE:
        command += ["--thresholds", verdict.thresholds_file]
    for name in ("image", "users", "processes", "workers"):
        if name in verdict.options:
            command += [f"--{name}", verdict.options[name]]
    base = verdict.git.get("base", "")
    is_built = bool(verdict.options.get("dockerfile"))
    can_have_base = not is_built or bool(verdict.occasion and verdict.occasion.base_sha)
    if (
        base and can_have_base and "://" not in base and clean(base, MAX_NAME_LENGTH) == base
    ):  # a URL: a password
        command += ["--base", base]
    lines = [*_check_out(verdict), *(_build(verdict) if is_built else ()), command]
    return tuple(shlex.join(clean(word, MAX_NAME_LENGTH) for word in line) for line in lines)


def _check_out(verdict: Verdict) -> Iterator[list[str]]:
    """The pull request's own commit: the merge that was measured is GitHub's alone, and soon gone.

    Base may be newer than what the reader's clone has of its branch.
    """
    occasion = verdict.occasion
    if occasion is not None and occasion.pull_number:
        base = verdict.git.get("base", "")
        if verdict.options.get("dockerfile"):
            base = base and occasion.base_sha
        commits = [base] if COMMIT.fullmatch(base) else []
        yield ["git", "fetch", "origin", f"pull/{occasion.pull_number}/head", *commits]
    head = (occasion.head_sha if occasion else "") or verdict.git.get("head", "")
    if head:
        yield ["git", "checkout", head]


def _build(verdict: Verdict) -> Iterator[list[str]]:
    file, image = verdict.options["dockerfile"], verdict.options.get("image", "gate-head")
    context = verdict.options.get("context", ".")
    yield ["docker", "build", "--file", file, "--tag", image, context]
    base, occasion = verdict.git.get("base", ""), verdict.occasion
    if base and occasion and occasion.base_sha:
        yield ["git", "worktree", "add", _BASE_FOLDER, occasion.base_sha]
        place = posixpath.normpath(f"{_BASE_FOLDER}/{context}")
        yield ["docker", "build", "--file", f"{_BASE_FOLDER}/{file}", "--tag", base, place]
