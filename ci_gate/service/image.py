"""The image of a service: found, pulled, or built from a Dockerfile. And the engine that does it."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests import RequestException

from ci_gate.errors import OutsideError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

CALL_TIMEOUT_S = 60
BUILD_SILENCE_S = 900
"""How long one step of a build may print nothing."""
LOG_LINES = 20
_DEFAULT_HOST = "unix:///var/run/docker.sock"
BUILD_LABEL = "ci-gate.build"
_BUILDKIT_HINT = """
The builder inside the engine is used: build with `docker buildx build --load --tag NAME .`
and set `image: NAME`."""
_NOISE = (" ---> ", "Removing intermediate container ")
_IMAGE_ID = re.compile(r"Successfully built ([0-9a-f]+)")


@contextlib.contextmanager
def connect_docker(environ: Mapping[str, str]) -> Iterator[docker.DockerClient]:
    """Raises OutsideError if no engine answers."""
    _check_socket(environ)
    try:
        client = docker.from_env(environment=dict(environ), timeout=CALL_TIMEOUT_S)
    except (DockerException, ValueError) as error:
        raise OutsideError(_no_engine(error)) from error
    with contextlib.closing(client):
        try:
            client.ping()
        except (DockerException, RequestException) as error:
            raise OutsideError(_no_engine(error)) from error
        yield client


@contextlib.contextmanager
def explain_docker_errors(doing: str) -> Iterator[None]:
    """Turns what the engine or the connection to it raises into an OutsideError that says what was tried."""
    try:
        yield
    except APIError as error:
        raise OutsideError(f"Docker could not {doing}: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise OutsideError(f"Docker did not answer when asked to {doing}: {error}") from error


def find_image(client: docker.DockerClient, reference: str, on_progress: Callable[[str], None]) -> str:
    """The id of a local image, pulled if it is not there. Raises OutsideError."""
    try:
        with explain_docker_errors(f"look up the image {reference}"):
            return _image_id(client, reference)
    except OutsideError as error:
        if not isinstance(error.__cause__, ImageNotFound):
            raise
    on_progress(f"pulling {reference}")
    with explain_docker_errors(f"pull the image {reference}, which is not on this machine"):
        client.images.pull(*split_tag(reference))
        return _image_id(client, reference)


def build_image(
    client: docker.DockerClient, dockerfile: Path, repository: Path, on_progress: Callable[[str], None]
) -> str:
    """Builds with the whole repository as context (less .dockerignore) and returns the image's id.

    The image has no tag: it stays as a cache until ``docker image prune``. Raises ServiceError with the
    last lines of the build.
    """
    if not dockerfile.is_file():
        raise ServiceError(f"there is no Dockerfile at {dockerfile}")
    lines: list[str] = []
    errors: list[str] = []
    try:
        with explain_docker_errors(f"build {dockerfile}"):
            for message in _build(client, dockerfile, repository):
                lines.extend(fresh := _output_lines(message))
                errors.extend(filter(None, [message.get("error")]))
                for line in fresh:
                    on_progress(line)
    except OutsideError as error:
        # A Dockerfile that cannot be read, or a registry that has not what it asks for.
        if not isinstance(error.__cause__, APIError):
            raise
        errors.append(str(error.__cause__.explanation))
    if errors:
        hint = _BUILDKIT_HINT if "BuildKit" in errors[0] else ""
        raise ServiceError(f"the build of {dockerfile} failed: {errors[0]}{hint}", _tail(lines), "the build")
    found = [match[1] for line in lines if (match := _IMAGE_ID.search(line))]
    if not found:
        raise ServiceError(f"the build of {dockerfile} ended without an image", _tail(lines), "the build")
    return found[-1]


def _build(client: docker.DockerClient, dockerfile: Path, repository: Path) -> Iterator[dict[str, Any]]:
    messages: Iterator[dict[str, Any]] = client.api.build(
        path=str(repository),
        dockerfile=str(dockerfile),
        rm=True,
        forcerm=True,
        decode=True,
        timeout=BUILD_SILENCE_S,
        labels={BUILD_LABEL: "1"},
    )
    return messages


def _output_lines(message: dict[str, Any]) -> list[str]:
    return [line for line in str(message.get("stream", "")).splitlines() if line.strip()]


def _tail(lines: list[str]) -> str:
    return "\n".join([line for line in lines if not line.startswith(_NOISE)][-LOG_LINES:])


def _image_id(client: docker.DockerClient, reference: str) -> str:
    return str(client.images.get(reference).id)


def split_tag(reference: str) -> tuple[str, str | None]:
    """The name and tag to pull, None for a digest. Without a tag, docker pulls every tag there is."""
    name, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag or "@" in reference:
        return reference, None if "@" in reference else "latest"
    return name, tag


def _check_socket(environ: Mapping[str, str]) -> None:
    """The SDK's own message hides the reason in three others, and it leaks the socket."""
    scheme, _, path = (environ.get("DOCKER_HOST") or _DEFAULT_HOST).partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(CALL_TIMEOUT_S)
        try:
            sock.connect(path)
        except OSError as error:
            raise OutsideError(_no_engine(f"{path}: {error.strerror}")) from error


def _no_engine(error: object) -> str:
    return (
        "no Docker engine answers, and the service is an image or a Dockerfile: start Docker,"
        f" point DOCKER_HOST at an engine, or use `command:` in thresholds.yaml ({error})"
    )
