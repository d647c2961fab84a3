"""The Dockerfile, built and run."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container

from tests.images import connect_engine, python_image
from tests.reference.processes import PASSWORD, READY_TIMEOUT_S

ROOT = Path(__file__).parents[2]


def build_context(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "reference_service", folder / "reference_service", ignore=ignored)
    return folder


def published_url(container: Container) -> str:
    container.reload()
    return f"http://127.0.0.1:{container.ports['8000/tcp'][0]['HostPort']}"


def await_ready(container: Container) -> str:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(requests.ConnectionError, KeyError, TypeError, IndexError):
            url = published_url(container)
            if requests.get(f"{url}/healthz", timeout=5).status_code == 200:
                return url
        time.sleep(0.1)
    raise TimeoutError(container.logs().decode())


@pytest.mark.docker
@pytest.mark.slow
def test_image__serves_and_resets_as_an_ordinary_user(tmp_path: Path) -> None:
    base = python_image()
    with connect_engine() as client:
        image = build(client, build_context(tmp_path), base)
        container = client.containers.run(image, ports={"8000/tcp": ("127.0.0.1", None)}, detach=True)
        try:
            url = await_ready(container)
            assert container.exec_run(["id", "-u"]).output.strip() == b"10001"
            done = container.exec_run(["python3", "-m", "reference_service.service", "reset"])
            assert done.exit_code == 0, done.output
            credentials = {"username": "user-0999", "password": PASSWORD}
            assert requests.post(f"{url}/api/v1/login", json=credentials, timeout=10).status_code == 200
            container.stop(timeout=10)
            assert container.wait()["StatusCode"] == 0
        finally:
            container.remove(force=True)
            client.images.remove(image, force=True)


def build(client: docker.DockerClient, context: Path, base: str) -> str:
    dockerfile = "reference_service/Dockerfile"
    image, _ = client.images.build(
        path=str(context), dockerfile=dockerfile, buildargs={"BASE": base}, rm=True, forcerm=True
    )
    return str(image.id)
