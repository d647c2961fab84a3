"""The machine of a measurement in words."""

from __future__ import annotations

from ci_gate.evidence.environment import Environment
from ci_gate.wording import count, format_number

_GIB = 1024**3


def describe_environment(environment: Environment) -> dict[str, str]:
    """What is known of the machine, by the name of the fact."""
    cores = count(environment.cpus, "core") if environment.cpus else ""
    memory = f"{format_number(environment.memory_bytes / _GIB)} GiB" if environment.memory_bytes else ""
    facts = {
        "CPU": ", ".join(filter(None, [environment.cpu_model, cores, environment.machine])),
        "memory": memory,
        "kernel": environment.kernel,
        "system": " ".join(filter(None, [environment.image, environment.image_version])),
        "Python": environment.python,
        "Locust": environment.locust,
    }
    return {name: text for name, text in facts.items() if text}
