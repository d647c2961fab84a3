"""The command that prints the JSON Schema of a document."""

from __future__ import annotations

import json
from typing import Any, Final

import click
import msgspec

from ci_gate.cli.check_document import CheckDocument
from ci_gate.cli.json_output import DOCUMENT_SCHEMA, ErrorDocument, OutputsDocument
from ci_gate.cli.suggest import SuggestionDocument
from ci_gate.errors import EXIT_PASS
from ci_gate.github.doctor.doctor import DOCTOR_SCHEMA, DoctorDocument
from ci_gate.judge.capacity.verdict import CAPACITY_SCHEMA, CapacityVerdict
from ci_gate.judge.history.record import HISTORY_SCHEMA, History
from ci_gate.judge.verdict import VERDICT_SCHEMA, Verdict
from ci_gate.report.trends_document import TRENDS_SCHEMA, TrendsDocument
from ci_gate.run.calibrate import CALIBRATION_SCHEMA, Calibration

DOCUMENTS: Final[dict[str, Any]] = {
    "verdict": (Verdict, VERDICT_SCHEMA),
    "capacity": (CapacityVerdict, CAPACITY_SCHEMA),
    "calibration": (Calibration, CALIBRATION_SCHEMA),
    "check": (CheckDocument, DOCUMENT_SCHEMA),
    "doctor": (DoctorDocument, DOCTOR_SCHEMA),
    "error": (ErrorDocument, DOCUMENT_SCHEMA),
    "history": (History, HISTORY_SCHEMA),
    "outputs": (OutputsDocument, DOCUMENT_SCHEMA),
    "suggestion": (SuggestionDocument, DOCUMENT_SCHEMA),
    "trends": (TrendsDocument, TRENDS_SCHEMA),
}
"""By the name that `ci-gate schema` takes: the type, and the number of its schema."""


@click.command("schema")
@click.argument("name", type=click.Choice([*DOCUMENTS]))
def schema_command(name: str) -> int:
    """Print the JSON Schema of a document that `--format json` prints, or of a file of the same name.

    It is made of the types that ci-gate reads and writes. docs/json.md says which command prints which.
    """
    click.echo(render_schema(name), nl=False)
    return EXIT_PASS


def render_schema(name: str) -> str:
    """The schema with a final newline."""
    kind, number = DOCUMENTS[name]
    schema = msgspec.json.schema(kind)
    schema["$defs"][kind.__name__]["properties"]["schema"] = {"const": number}
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"{name} of ci-gate"}
    # \\Z is Python's end of a text, which other languages do not know.
    return json.dumps({**head, **schema}, indent=1).replace("\\\\Z", "$") + "\n"
