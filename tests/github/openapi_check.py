"""Requests and replies checked against OpenAPI descriptions, and replies made up from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).with_name("openapi")
NOT_IN_ONE_SEGMENT = {"path"}  # of a file: the only parameter that may hold slashes


def load_description():
    description, more = (
        json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("github.json", "more.json")
    )
    for path, operations in more["paths"].items():
        description["paths"].setdefault(path, {}).update(operations)
    return _translate(description)


def _translate(value: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` as JSON Schema says it."""
    if isinstance(value, list):
        return [_translate(item) for item in value]
    if not isinstance(value, dict):
        return value
    translated = {key: _translate(item) for key, item in value.items() if key != "nullable"}
    return {"anyOf": [translated, {"type": "null"}]} if value.get("nullable") is True else translated


class Description:
    """All operations; ``violations`` gathers what did not suit them."""

    def __init__(self) -> None:
        self._description = load_description()
        self._templates = [
            (self._compile(path), path) for path in sorted(self._description["paths"], key=len)
        ]
        self.violations: list[str] = []

    @staticmethod
    def _compile(path: str) -> re.Pattern[str]:
        pattern = re.sub(
            r"\{(\w+)\}",
            lambda m: "(.*)" if m[1] in NOT_IN_ONE_SEGMENT else "([^/]+)",
            re.escape(path).replace(r"\{", "{").replace(r"\}", "}"),
        )
        return re.compile(pattern + r"\Z")

    def match(self, method: str, path: str) -> str | None:
        """The path template of an operation; one that takes a whole path only if no other does."""
        for pattern, template in self._templates:
            if pattern.match(path) and method.lower() in self._description["paths"][template]:
                return template
        return None

    def read_path(self, template: str, path: str) -> dict[str, str]:
        """The values of a path's parameters."""
        match = self._compile(template).match(path)
        assert match
        return dict(zip(re.findall(r"\{(\w+)\}", template), match.groups(), strict=True))

    def check_request(self, method: str, template: str, query: dict[str, str], body: Any) -> list[str]:
        operation = self._description["paths"][template][method.lower()]
        parameters = [self._resolve(each) for each in operation.get("parameters", ())]
        known = {each["name"]: each["schema"] for each in parameters if each["in"] == "query"}
        found = [f"unknown query parameter {name}" for name in query if name not in known]
        for name, value in query.items():
            schema = self._resolve(known.get(name, {}))
            typed = int(value) if schema.get("type") == "integer" and value.isdigit() else value
            found += [f"query {name}: {error}" for error in self._errors(schema, typed)]
        wanted = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if (wanted is None) != (body is None):
            found.append("has a body" if wanted is None else "has no body")
        elif wanted is not None:
            found += self._errors(wanted, body)
            found += [f"unknown key {key}" for key in body if key not in self._resolve(wanted)["properties"]]
        self.violations += [f"{method} {template}: {words}" for words in found]
        return found

    def check_reply(self, method: str, template: str, status: int, body: Any) -> None:
        replies = self._description["paths"][template][method.lower()]["responses"]
        if str(status) not in replies:
            if status not in {401, 403, 404, 422, 429, 500, 502, 503}:  # any request may meet these
                self.violations.append(f"{method} {template}: no reply {status} is described")
            return
        content = self._resolve(replies[str(status)]).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is not None:
            self.violations += [
                f"{method} {template} {status}: {words}" for words in self._errors(schema, body)
            ]

    def example(self, schema: str, /, **values: Any) -> dict[str, Any]:
        """A made-up value of a schema: what is required, with ``values`` in place of the made-up ones."""
        made = self._make(self._description["components"]["schemas"][schema])
        return made | values

    def _make(self, schema: dict[str, Any]) -> Any:
        schema = self._resolve(schema)
        if "anyOf" in schema or "oneOf" in schema:
            choices = schema.get("anyOf") or schema["oneOf"]
            return None if {"type": "null"} in choices else self._make(choices[0])
        if "allOf" in schema:
            return {key: value for part in schema["allOf"] for key, value in self._make(part).items()}
        if "enum" in schema:
            return schema["enum"][0]
        if "properties" in schema or schema.get("type") == "object":
            properties = schema.get("properties", {})
            return {key: self._make(properties.get(key, {})) for key in schema.get("required", ())}
        if schema.get("format") == "date-time":
            return "2026-11-23T15:00:00Z"
        return {"string": "x", "integer": 1, "number": 1, "boolean": False, "array": []}.get(
            schema.get("type")
        )

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._description
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found
        return schema

    def _errors(self, schema: dict[str, Any], value: Any) -> list[str]:
        root = {"components": self._description["components"], "allOf": [schema]}
        return [
            f"{error.json_path}: {error.message[:200]}"
            for error in Draft202012Validator(root).iter_errors(value)
        ]
