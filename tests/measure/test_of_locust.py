"""docs/locustfiles.md lists what of Locust is used: kept equal to the code, and the code to Locust."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ci_gate.measure.locustfile.of_locust import PART_OF_OPTION, PARTS
from ci_gate.thresholds import schema_text

DOCUMENT = Path(__file__).parents[2] / "docs" / "locustfiles.md"
OPTIONS = """
from locust import argument_parser
parser = argument_parser.get_empty_argument_parser(default_config_files=())
argument_parser.setup_parser_arguments(parser)
print(*(action.dest for action in parser._actions))
"""
HEAD = ("| of Locust | used | key | why |", "| --- | --- | --- | --- |")


def render_row(part):
    keys = ", ".join(f"`{key}`" for key in part.key.replace(";", ",").split(", ") if key)
    return f"| {part.what} | {part.use} | {keys} | {part.why} |"


def test_table__is_what_the_code_says():
    table = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert table == [*HEAD, *map(render_row, PARTS)]


def test_parts__have_every_option_of_this_locust():
    # In a process of its own: Locust patches the one that imports it.
    asked = subprocess.run([sys.executable, "-c", OPTIONS], capture_output=True, text=True, check=True)
    assert set(asked.stdout.split()) <= set(PART_OF_OPTION)  # an older Locust has fewer
    assert len(PART_OF_OPTION) == sum(len(part.options) for part in PARTS)


def test_parts__name_keys_that_there_are():
    for part in PARTS:
        for key in part.key.replace(";", ",").split(", "):
            assert not key or f'"{key}": {{' in schema_text(), key
        assert part.use != "key" or part.key
