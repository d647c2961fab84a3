"""What a workflow measures for, from the variables and the payload that GitHub gives each job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from ci_gate.errors import UsageError
from ci_gate.judge.occasion import Occasion

_CHANGES_NOTHING: Final = frozenset({"edited", "labeled", "unlabeled"})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class _Side(msgspec.Struct, frozen=True):
    ref: str = ""
    sha: str = ""


class _Pull(msgspec.Struct):
    number: int = 0
    head: _Side = _Side()
    base: _Side = _Side()


class _Group(msgspec.Struct):
    head_sha: str = ""
    base_ref: str = ""
    base_sha: str = ""


class _Payload(msgspec.Struct):
    action: str = ""
    changes: dict[str, object] = {}
    pull_request: _Pull | None = None
    merge_group: _Group | None = None


def read_occasion(environ: Mapping[str, str], payload: bytes, base_sha: str = "") -> Occasion | None:
    """None outside of a workflow. ``base_sha`` is what the plan found, empty for what the event says.

    Raises UsageError for a payload that is not GitHub's.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    if not event:
        return None
    content = _read_payload(payload)
    pull, group = content.pull_request or _Pull(), content.merge_group or _Group()
    return Occasion(
        event=event,
        pull_number=pull.number,
        head_sha=pull.head.sha or group.head_sha or environ.get("GITHUB_SHA", ""),
        base_ref=pull.base.ref or group.base_ref.removeprefix("refs/heads/"),
        base_sha=base_sha or pull.base.sha or group.base_sha,
        run_id=_number(environ.get("GITHUB_RUN_ID", "")),
        run_attempt=_number(environ.get("GITHUB_RUN_ATTEMPT", "")),
    )


def explain_need(environ: Mapping[str, str], payload: bytes) -> str:
    """Why this event must be measured; empty where it changes nothing of what is measured.

    A label, a title or a text changes nothing of it; a new base branch does. Raises UsageError.
    """
    content = _read_payload(payload)
    if environ.get("GITHUB_EVENT_NAME") != "pull_request" or content.action not in _CHANGES_NOTHING:
        return "the event brings something new"
    if "base" in content.changes:
        return "the base branch has changed"
    if environ.get("GITHUB_RUN_ATTEMPT", "1") != "1":
        return "all jobs are run again"
    return ""


def _read_payload(payload: bytes) -> _Payload:
    try:
        return msgspec.json.decode(payload or b"{}", type=_Payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH: {error}") from error


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0
