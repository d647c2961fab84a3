"""Text as YAML that stays on its line."""

from __future__ import annotations

import math

import yaml


def write_scalar(text: str) -> str:
    """One YAML scalar on one line, whatever the text holds."""
    style = None if text.isprintable() else '"'
    return yaml.safe_dump(text, width=math.inf, default_style=style).removesuffix("...\n").strip()


def write_text(text: str) -> str:
    """The same in quotes: it stays text where it looks like a number, and stands in a list in brackets."""
    return yaml.safe_dump(text, width=math.inf, default_style='"').strip()


def write_comment(text: str) -> str:
    """What can stand behind a ``#``: at most 200 printable characters."""
    return "".join(char if char.isprintable() else " " for char in text)[:200]
