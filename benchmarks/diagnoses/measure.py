"""One run of a case through the real command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
import yaml

from benchmarks.diagnoses.cases import Case
from benchmarks.diagnoses.documents import LOAD, REPOSITORY, SCENARIOS, SERVED, Document, Place
from benchmarks.diagnoses.place import reset_databases, with_few_connections
from benchmarks.diagnoses.rows import Row, has_takers, name_causes
from ci_gate.evidence.recording import DUET_HEAD, HEAD, Recording, read_recordings, read_run
from ci_gate.judge.foreign import find_foreign
from ci_gate.judge.steady import classify
from ci_gate.judge.verdict import judge
from ci_gate.thresholds import parse_thresholds
from tests.burning import burning

COMMAND = (sys.executable, "-m", "ci_gate", "run", "--quiet", "--profile", "short")
TIMEOUT_S = 300


def measure(case: Case, place: Place, number: int, keep: Path | None) -> Row:
    """One run on fresh tables; its evidence stays below ``keep``."""
    load_average = os.getloadavg()[0]
    with ExitStack() as stack:
        if case.max_connections is not None:
            place = stack.enter_context(with_few_connections(place, case.max_connections))
        reset_databases(place, case.head_statement)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ci-gate-diagnoses-")))
        write_repository(folder / "repository", case, place)
        evidence = Path(case.name.replace(" ", "-"), f"{number:02}")
        out = (keep.absolute() if keep else folder) / evidence
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out, ignore_errors=True)  # of a call that was ended before it wrote its row
        for _ in range(case.strangers):
            stack.enter_context(burning("stranger", detached=True))
        command = [*COMMAND, "--out", str(out)]
        command += ["--base", "HEAD", "--no-profile-code"] if case.base else []
        subprocess.run(
            command, cwd=folder / "repository", stdout=subprocess.DEVNULL, check=False, timeout=TIMEOUT_S
        )
        row = Row(
            case=case.name,
            commit="",
            load_average=round(load_average, 1),
            outcome="",
            findings=(),
            causes=(),
            foreign_cores=None,
            host_cores=os.cpu_count() or 1,
            names_takers=False,
            evidence=str(evidence),
        )
        return judge_evidence(row, out.parents[1])


def judge_evidence(row: Row, kept: Path) -> Row:
    """The row as this code judges its evidence, which is below ``kept``."""
    out = kept / row.evidence
    info = read_run(out)
    thresholds = parse_thresholds(info.thresholds_text, info.thresholds_file)
    recordings = read_recordings(out, info)
    verdict = judge(thresholds, info, recordings).scenarios[0]
    own = {name: each for (_scenario, name), each in recordings.items()}
    head = own.get(HEAD) or own.get(DUET_HEAD)
    taken = find_taken(head) if head else None
    return msgspec.structs.replace(
        row,
        commit=name_commit(),
        outcome=str(verdict.outcome),
        findings=tuple(each.code for each in verdict.findings if each.severity != "info"),
        causes=name_causes(verdict.diagnosis),
        names_takers=has_takers(verdict.diagnosis),
        foreign_cores=None if taken is None else round(taken, 2),
    )


def find_taken(head: Recording) -> float | None:
    """The cores that other programs used in the steady phase."""
    steady = classify(head, ()).steady
    foreign = find_foreign(each for each in head.machine if steady.begin_s < each.wall_s <= steady.end_s)
    return foreign[0] if foreign else None


def name_commit() -> str:
    """Of this repository, with a ``+`` where it has changes beside."""
    git = ("git", "-C", str(REPOSITORY))
    commit = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    return commit.stdout.strip() + "+" * bool(changed.stdout.strip())


def write_repository(folder: Path, case: Case, place: Place) -> None:
    """What is gated, with the locustfiles; base, where there is one, is its commit."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SERVED, folder, ignore=ignored)
    shutil.copytree(SCENARIOS, folder / LOAD, ignore=ignored)
    (folder / "users.py").rename(folder / LOAD / "users.py")
    if case.base:
        write_thresholds(folder, case.base(place))
        git = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid")
        for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "base")):
            subprocess.run([*git, *arguments], cwd=folder, check=True)
    write_thresholds(folder, case.head(place))


def write_thresholds(folder: Path, document: Document) -> None:
    """Over the old one."""
    (folder / "thresholds.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
