"""The images of the local runner and of its service containers, built on `tests.images`."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from tests.images import build, connect_engine, has_image, lock_images, python_image

ROOT = Path(__file__).parents[2]

# Steps print as they go: the client gives up on one that is silent for long.
# What the service under test is built on: its packages are there, for a build has no network either.
LOCKED = """\
FROM {base}
COPY requirements.lock uv.lock /
RUN python3 -m pip install --no-cache-dir --progress-bar off --require-hashes -r requirements.lock -r uv.lock
ENV PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 UV_OFFLINE=1
"""
RUNNER = """\
FROM {base}
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
       docker.io postgresql redis-server \\
    && rm -rf /var/lib/apt/lists/*
"""
# A runner: nothing of ci-gate's is installed. Packages come from a folder: jobs have no network.
ADOPTER = """\
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
COPY requirements-runtime.lock uv.lock /
RUN python3 -m pip download --progress-bar off --require-hashes -d wheels \\
    -r requirements-runtime.lock -r uv.lock
ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels UV_NO_INDEX=1 UV_FIND_LINKS=/wheels
"""
POSTGRES = """\
FROM {base}
COPY entry.sh /entry.sh
ENTRYPOINT ["sh", "/entry.sh"]
"""
POSTGRES_ENTRY = """\
set -eu
test "$POSTGRES_HOST_AUTH_METHOD" = trust
cd /var/lib/postgresql
bin=$(echo /usr/lib/postgresql/*/bin)
as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"
install -d -o postgres /var/run/postgresql data
$as_postgres "$bin/initdb" -D data -U postgres -A trust -E UTF8 --locale C.UTF-8 -N >/dev/null
echo "host all all all trust" >>data/pg_hba.conf
exec $as_postgres "$bin/postgres" -D data -c listen_addresses='*' -c fsync=off -c max_connections=200
"""
REDIS = """\
FROM {base}
ENTRYPOINT ["redis-server", "--save", "", "--protected-mode", "no"]
"""


class Images:
    """Tags of images that stand in for those that a hosted runner has or pulls; built when asked for."""

    @cached_property
    def locked(self) -> str:
        return _build("locked", LOCKED, python_image(), _read("requirements.lock", ".ci/uv.lock"))

    @cached_property
    def runner(self) -> str:
        return _build("runner", RUNNER, self.adopter, {})

    @cached_property
    def adopter(self) -> str:
        return _build("adopter", ADOPTER, python_image(), _read("requirements-runtime.lock", ".ci/uv.lock"))

    @cached_property
    def postgres(self) -> str:
        return _build("postgres", POSTGRES, self.runner, {"entry.sh": POSTGRES_ENTRY})

    @cached_property
    def redis(self) -> str:
        return _build("redis", REDIS, self.runner, {})


def _read(*names: str) -> dict[str, str]:
    return {Path(name).name: (ROOT / name).read_text() for name in names}


def _build(name: str, dockerfile: str, base: str, files: dict[str, str]) -> str:
    texts = {"Dockerfile": dockerfile.format(base=base), **files}
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:12]
    tag = f"ci-gate-test-{name}:{digest}"
    with connect_engine() as client, lock_images():
        if not has_image(client, tag):
            build(client, texts, tag)
    return tag
