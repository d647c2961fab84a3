"""The image of ci-gate: the Dockerfile, built from the repository as it lies here, and run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import ContainerError

from tests.images import connect_engine, python_image

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).parents[1]
THRESHOLDS = """
schema: 1
service: {command: "python3 -m http.server {port} --bind 127.0.0.1 --directory {state}", ready: /}
profiles: {smoke: {duration: 5s, warmup: 1s}}
scenarios:
  pages:
    locustfile: pages.py
    users: {Reader: 2}
    spawn_rate: 2
    limits: {all: {p50: 10s, failures: 1%}}
"""
LOCUSTFILE = """
from locust import HttpUser, constant_throughput, task


class Reader(HttpUser):
    wait_time = constant_throughput(20)

    @task
    def read(self):
        self.client.get("/")
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    with connect_engine() as client:
        yield client


@pytest.fixture(scope="module")
def image(engine) -> Iterator[str]:
    image, _ = engine.images.build(path=str(ROOT), buildargs={"BASE": python_image()}, rm=True, forcerm=True)
    yield str(image.id)
    engine.images.remove(str(image.id), force=True)


def run(engine, image, *command, **more) -> str:
    """Its standard output and error; fails the test with them where it does not end with 0."""
    try:
        output = engine.containers.run(image, list(command), remove=True, stderr=True, **more)
    except ContainerError as error:
        pytest.fail(f"ended with {error.exit_status}: {error.stderr.decode()}")
    return output.decode()


def write_config_map(folder: Path, **files: str) -> None:
    """As Kubernetes mounts one: each file is a link through a link to a folder, and nobody may write."""
    (folder / "..1").mkdir(parents=True)
    (folder / "..data").symlink_to("..1")
    for name, text in files.items():
        path = name.replace("_py", ".py").replace("_yaml", ".yaml")
        (folder / "..1" / path).write_text(text)
        (folder / path).symlink_to(Path("..data", path))
    folder.chmod(0o755)


def test_image__shows_its_help_and_is_no_root(engine, image):
    assert "Decides whether a web service may merge under load." in run(engine, image)
    assert run(engine, image, "id", "-u").strip() == "10001"


def test_image__has_no_entry_point_so_that_an_operator_may_add_arguments(engine, image):
    assert not engine.images.get(image).attrs["Config"]["Entrypoint"]
    shown = run(engine, image, "sh", "-c", "ci-gate --version", "--master", "--master-port=5557")
    assert "version" in shown


def test_image__measures_by_a_config_map_into_a_folder_of_its_own(engine, image, tmp_path):
    files, results = tmp_path / "files", tmp_path / "results"
    write_config_map(files, thresholds_yaml=THRESHOLDS, pages_py=LOCUSTFILE)
    results.mkdir()
    os.chown(results, 10001, 10001)
    shown = run(
        engine,
        image,
        *("ci-gate", "run", "--thresholds", "/gate/files/thresholds.yaml", "--profile", "smoke"),
        *("--out", "/results/run"),
        volumes={
            str(files): {"bind": "/gate/files", "mode": "ro"},
            str(results): {"bind": "/results", "mode": "rw"},
        },
    )
    assert "PASS: 1 scenario kept all 2 limits" in shown
    assert (results / "run" / "report.html").exists()
