"""What machine this is, for run.json."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

_CPU_INFO: Final = Path("/proc/cpuinfo")
_MODEL: Final = re.compile(r"^(?:model name|Model|cpu model)\s*:\s*(\S.*)$", re.MULTILINE)


def describe_host(environ: Mapping[str, str], cpu_info: Path = _CPU_INFO) -> dict[str, str]:
    """Facts by their names; empty where nothing is known.

    GitHub tells each job on its own machines the image of them by ImageOS and ImageVersion in ``environ``.
    ``ci`` is ``true`` in a job of a CI system: GitHub, GitLab and most others set CI.
    """
    return {
        "cpu_model": _read_cpu_model(cpu_info),
        "cpus": str(os.cpu_count()),
        "memory_bytes": str(psutil.virtual_memory().total),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "image": environ.get("ImageOS", "") or _read_system(),
        "image_version": environ.get("ImageVersion", ""),
        "ci": "true" if environ.get("CI", "").lower() in {"true", "1"} else "",
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }


def _read_cpu_model(cpu_info: Path) -> str:
    with contextlib.suppress(OSError):
        found = _MODEL.search(cpu_info.read_text(encoding="utf-8", errors="replace"))
        if found:
            return " ".join(found[1].split())
    return platform.processor()


def _read_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:  # no Linux
        return f"{platform.system()} {platform.release()}"
