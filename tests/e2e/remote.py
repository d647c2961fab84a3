"""A repository as a pull request leaves it: base, the change, and the merge that GitHub tries out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.e2e.images import Images
from tests.github.fake_state import REPOSITORY

ROOT = Path(__file__).parents[2]
OWN = ".github/workflows/own-load-gate.yml"
DECISIVE = ("thresholds.yaml", "reference_service/scenarios", ".github/workflows")

# Short, and with room for a busy machine: what is proved is the way through the workflow.
DEPLOYMENTS = """\
schema: 1
service:
  command: python -m reference_service.service --port {port}
  port: 8000
  ready: /healthz
  before_each: python -m reference_service.service reset
  env:
    DATABASE_URL: "${DATABASE_URL}"
    REDIS_URL: "${REDIS_URL}"
    SEED_PENDING: "1000"
compare: {max_duration: 30s}
profiles:
  quick: {duration: 8s, warmup: 1s}
  pull_request: {duration: 8s, warmup: 1s}
scenarios:
  concurrent-deployments:
    locustfile: reference_service/scenarios/deployments.py
    users: {DeploymentUser: 40}
    spawn_rate: 40
    limits:
      all: {p90: 300ms, failures: 1%, rate: 10/s}
    regression: {p50: 200%}
"""
BURST = """\
  burst-load:
    locustfile: reference_service/scenarios/burst.py
    users: {BurstUser: 20}
    spawn_rate: 20
    limits:
      POST /api/v1/deployments: {p90: 300ms}
"""


class Remote:
    """``bare`` is what jobs fetch from; ``checkout`` is where act is started.

    ``actions`` are folders by what the workflows use.
    """

    decisive = DECISIVE

    def __init__(self, folder: Path, images: Images, thresholds: str) -> None:
        self.bare, self.checkout = folder / "remote.git", folder / "checkout"
        self.checkout.mkdir(parents=True)
        copy_work_tree(self.checkout)
        self._git("init", "--quiet", "--initial-branch", "main")
        (self.checkout / "thresholds.yaml").write_text(thresholds)
        # Only here: the image cannot be pulled, and the ports of the service containers are this machine's.
        self.edit("reference_service/Dockerfile", r"^ARG BASE=.*$", f"ARG BASE={images.locked}")
        self.edit(
            ".github/workflows/load-gate.yml",
            r"^( +)fail-fast: false$",
            r"\1fail-fast: false\n\1max-parallel: 1",
            times=2,  # the jobs scenario and confirm
        )
        self.edit(OWN, r"^( +)postgres: .*$", rf"\1postgres: {images.postgres}")
        self.edit(OWN, r"^( +)redis: .*$", rf"\1redis: {images.redis}")
        # act knows no `$/`: a called workflow is this checkout's, an action that of a repository of its own.
        self.edit(OWN, r"uses: \$/", "uses: ./")
        for name in ("load-gate.yml", "load-gate-comment.yml"):
            name_own_repository(self.checkout / ".github" / "workflows" / name)
        self._git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
        self.base = self.commit("Base")
        self.actions = {f"octo-org/ci-gate@{'1' * 40}": self.checkout}

    def edit(self, path: str, old: str, new: str, *, times: int = 1) -> None:
        """Replace what the regular expression ``old`` finds, which must be there so many times."""
        file = self.checkout / path
        text, found = re.subn(old, new, file.read_text(), flags=re.MULTILINE)
        assert found == times, f"{path}: {old} found {found} times"
        file.write_text(text)

    def commit(self, message: str) -> str:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        self._git("checkout", "--quiet", "-b", name)

    def merge_into_main(self, branch: str) -> str:
        """The test merge of a pull request: its first parent is main."""
        self._git("checkout", "--quiet", "--detach", "main")
        self._git("merge", "--quiet", "--no-ff", "--message", f"Merge {branch} into main", branch)
        return self._git("rev-parse", "HEAD")

    def read_files(self, commit: str) -> dict[str, bytes]:
        """Path -> content of what decides how thresholds are meant, at a commit."""
        names = self._git("ls-tree", "-r", "--name-only", commit, *self.decisive).splitlines()
        return {name: (self._git("show", f"{commit}:{name}") + "\n").encode() for name in names}

    def return_to_main(self) -> None:
        """As GitHub starts a workflow_run job: at the default branch."""
        self._git("checkout", "--quiet", "main")

    def publish(self) -> None:
        """Make the bare repository that the jobs fetch from, with the merge that is checked out now."""
        self._git("update-ref", "refs/pull/1/merge", "HEAD")
        self._git("clone", "--quiet", "--mirror", str(self.checkout), str(self.bare))
        subprocess.run(
            ["git", "-C", str(self.bare), "config", "uploadpack.allowAnySHA1InWant", "true"], check=True
        )

    def _git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.checkout, check=True, capture_output=True, text=True
        )
        return done.stdout.removesuffix("\n")


def name_own_repository(workflow: Path) -> None:
    """Write a workflow of this repository as act can read it, which knows no `$/`."""
    text, found = re.subn(r"uses: \$/(\S+)", rf"uses: octo-org/ci-gate/\1@{'1' * 40}", workflow.read_text())
    assert found, workflow
    workflow.write_text(text)


def copy_work_tree(target: Path) -> None:
    """Every file that is tracked or could be, as it stands now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
