"""Checks of what stands in braces in a text of thresholds.yaml: ``{placeholder}`` and ``${VARIABLE}``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ci_gate.errors import Problem
from ci_gate.thresholds.service import PLACEHOLDERS
from ci_gate.thresholds.yaml.nodes import quote
from ci_gate.thresholds.yaml.source import KeyPath, Section

PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BROKEN_VARIABLE = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\})")


def find_unknown_placeholders(section: Section, key: str) -> Iterator[Problem]:
    """A Problem for each placeholder in the text at ``key`` that does not exist."""
    yield from find_unknown_in(section.get(key, ""), section, (key,))


def find_unknown_in(text: str, section: Section, path: KeyPath) -> Iterator[Problem]:
    """``path`` leads from the section to the text: to a key, or to an item of the list at a key."""
    allowed = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS) + ", or ${VAR} for an environment variable"
    for name in dict.fromkeys(PLACEHOLDER.findall(text)):
        if name not in PLACEHOLDERS:
            message = f"unknown placeholder {{{name[:60]}}} in {quote(str(path[0]))}"
            yield section.source.value_problem((*section.path, *path), message, allowed)


def find_broken_variable(section: Section, key: str) -> Iterator[Problem]:
    """A Problem where a ``${`` in the text at ``key`` begins no variable."""
    yield from find_broken_in(section.get(key, ""), section, (key,))


def find_broken_in(text: str, section: Section, path: KeyPath) -> Iterator[Problem]:
    """The same in ``text``, to which ``path`` leads from the section."""
    if _BROKEN_VARIABLE.search(text):
        message = f"'${{' begins no variable in {quote(str(path[0]))}"
        yield section.source.value_problem((*section.path, *path), message, "${VAR} or ${VAR:-default}")
