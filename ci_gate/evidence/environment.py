"""The machine that a run was measured on, as its verdict keeps it: figures of two machines are two things."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

from ci_gate.evidence.ranges import MAX_NUMBER, Count
from ci_gate.evidence.readings import StrictValue
from ci_gate.evidence.recording import RunInfo

_MAX_FACT: Final = 200
_Fact = Annotated[str, msgspec.Meta(max_length=_MAX_FACT)]
_NUMBER: Final = re.compile(r"[0-9]{1,16}")


class Environment(StrictValue, frozen=True):
    """Texts are empty and numbers 0 where nothing is known of them.

    ``image`` is what the machine was made from: ``ubuntu24`` of a hosted runner, else the system's own name.
    ``image_version`` is that of a hosted runner, which changes about once a week.
    """

    cpu_model: _Fact
    cpus: Count
    memory_bytes: Count
    machine: _Fact  # x86_64, aarch64, ...
    kernel: _Fact
    image: _Fact
    image_version: _Fact
    python: _Fact
    locust: _Fact


def read_environment(run: RunInfo) -> Environment:
    """What run.json says of its machine, each text cut at 200 characters."""
    host, versions = run.host, run.versions
    return Environment(
        cpu_model=host.get("cpu_model", "")[:_MAX_FACT],
        cpus=_read_number(host.get("cpus", "")),
        memory_bytes=_read_number(host.get("memory_bytes", "")),
        machine=host.get("machine", "")[:_MAX_FACT],
        kernel=host.get("kernel", "")[:_MAX_FACT],
        image=host.get("image", "")[:_MAX_FACT],
        image_version=host.get("image_version", "")[:_MAX_FACT],
        python=versions.get("python", "")[:_MAX_FACT],
        locust=versions.get("locust", "")[:_MAX_FACT],
    )


def _read_number(text: str) -> int:
    return min(int(text), MAX_NUMBER) if _NUMBER.fullmatch(text) else 0
