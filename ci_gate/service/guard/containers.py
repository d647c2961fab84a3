"""Containers found by a label and removed, whether their creator is still there or not."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import docker
from docker.errors import DockerException, NotFound
from requests import RequestException

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docker import DockerClient

SETTLE_S = 3.0
"""An engine may still finish a creation whose client has gone."""
PAUSE_S = 0.1
TIMEOUT_S = 20


def remove_containers(client: DockerClient, label: str) -> int:
    """Force-removes all containers with the ``key=value`` label, and volumes and networks. Returns how many.

    Raises docker.errors.DockerException, or requests.RequestException if the engine does not answer.
    """
    found = client.api.containers(all=True, quiet=True, filters={"label": label})
    for container in found:
        with contextlib.suppress(NotFound):
            client.api.remove_container(container["Id"], force=True, v=True)
    for network in client.api.networks(filters={"label": label}):  # of compose, as the volumes with a name
        with contextlib.suppress(NotFound):
            client.api.remove_network(network["Id"])
    for volume in client.api.volumes(filters={"label": label})["Volumes"] or ():
        with contextlib.suppress(NotFound):
            client.api.remove_volume(volume["Name"], force=True)
    return len(found)


def remove_until_settled(labels: Iterable[str]) -> None:
    """Removes for some seconds what turns up with these labels. Never raises: nobody would read it."""
    wanted = tuple(labels)
    deadline = time.monotonic() + SETTLE_S
    while True:
        with contextlib.suppress(DockerException, RequestException), _connect() as client:
            for label in wanted:
                remove_containers(client, label)
        if time.monotonic() > deadline:
            return
        time.sleep(PAUSE_S)


def _connect() -> contextlib.closing[DockerClient]:
    return contextlib.closing(docker.from_env(timeout=TIMEOUT_S))
