"""Docker images for tests, made without pulling any.

``python_image()`` is Debian's Python 3.11 with pip, bootstrapped from the mirror that apt already uses and
kept in ``$CI_GATE_TEST_CACHE`` (default: ci-gate-tests in the user's cache folder); that takes about a
minute, once. Where images can be pulled, ``CI_GATE_TEST_IMAGE`` may name one to use instead.
``image_with(...)`` adds packages with pip. A build reaches the package index over Docker's default bridge,
with the index and the certificates of this machine's own pip.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from ci_gate.errors import OutsideError
from ci_gate.service.image import connect_docker
from tests.servers import skip_or_fail

SUITE = "bookworm"
PYTHON_TAG = f"ci-gate-test-python:{SUITE}"
PACKAGES = "python3,python3-pip"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Documentation and translations are a third of the size.
LEFT_OUT = ("./var/cache", "./var/lib/apt", "./usr/share/doc", "./usr/share/man", "./usr/share/locale")


@contextmanager
def connect_engine() -> Iterator[docker.DockerClient]:
    """Skips or fails the calling test if no engine answers."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(connect_docker(os.environ))
        except OutsideError as error:
            skip_or_fail(str(error))
        yield client


def python_image() -> str:
    """The tag of an image that stands in for Docker Hub's python:3.11-slim: python, pip, no CMD."""
    with connect_engine() as client:
        if wanted := os.environ.get("CI_GATE_TEST_IMAGE"):
            return wanted if has_image(client, wanted) else str(client.images.pull(wanted).id)
        with lock_images():
            if not has_image(client, PYTHON_TAG):
                _import(_root_file_system())
    return PYTHON_TAG


def image_with(*requirements: str) -> str:
    """The tag of ``python_image()`` with these packages; built once for each list."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    tag = f"ci-gate-test-packages:{digest}"
    base = python_image()
    with connect_engine() as client, lock_images():
        if not has_image(client, tag):
            install = f"RUN python3 -m pip install --no-cache-dir {' '.join(map(_quote, requirements))}"
            build(client, {"Dockerfile": f"FROM {base}\n{install}\n"}, tag)
    return tag


def build(client: docker.DockerClient, files: dict[str, str], tag: str) -> str:
    """Builds an image from the texts of a context, Dockerfile among them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        client.images.build(path=folder, tag=tag, rm=True, forcerm=True)
    return tag


def has_image(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _cache() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ci-gate-tests"
    folder = Path(os.environ.get("CI_GATE_TEST_CACHE") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def lock_images() -> Iterator[None]:
    """Test processes that run at the same time build one image once."""
    with (_cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _root_file_system() -> Path:
    archive = _cache() / f"{SUITE}.tar"
    if archive.exists():
        return archive
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        skip_or_fail(
            f"no image {PYTHON_TAG}, and making it needs root and debootstrap (or CI_GATE_TEST_IMAGE)"
        )
    with tempfile.TemporaryDirectory(dir=_cache()) as folder:
        root, partial = Path(folder, "root"), Path(folder, "partial.tar")
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), _mirror()]
        done = subprocess.run(bootstrap, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        _finish(root)
        left_out = [f"--exclude={path}/*" for path in LEFT_OUT]
        subprocess.run(["tar", "-C", str(root), *left_out, "-cf", str(partial), "."], check=True)
        partial.rename(archive)
    return archive


def _mirror() -> str:
    """Where apt on this machine gets the suite's main component from."""
    form = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", form],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        if line.startswith(f"{SUITE} main "):
            return line.split()[2]
    skip_or_fail(f"apt on this machine has no source for Debian {SUITE}")
    raise AssertionError


def _finish(root: Path) -> None:
    """What the official image has: ``python``, and a pip that may install into the system."""
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for marker in (root / "usr/lib").glob("python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    certificates = root / CERTIFICATES.lstrip("/")
    certificates.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ssl.get_default_verify_paths().cafile or CERTIFICATES, certificates)


def _import(archive: Path) -> None:
    variables = {
        "PIP_CERT": CERTIFICATES,
        "SSL_CERT_FILE": CERTIFICATES,
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
        "PIP_INDEX_URL": _pip_index(),
    }
    changes = [f"--change=ENV {name}={value}" for name, value in variables.items() if value]
    subprocess.run(["docker", "import", *changes, str(archive), PYTHON_TAG], check=True, capture_output=True)


def _pip_index() -> str:
    """Empty for pip's default. A virtual environment may have no pip; the Python that it is of has one."""
    pip = [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "config", "get", "global.index-url"]
    asked = subprocess.run(pip, capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _quote(requirement: str) -> str:
    return f"'{requirement}'"
