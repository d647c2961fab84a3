"""JSON in and out: bodies decoded against their type, replies, and errors that are JSON everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Body = TypeVar("Body")

MAX_BODY_BYTES = 64 * 1024

_encode = msgspec.json.Encoder().encode


class ApiError(Exception):
    """Ends a request with an error status; ``code`` is for programs, the message for people."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


def not_found(message: str) -> ApiError:
    """The error for a row or route that does not exist."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", message)


def json_reply(content: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """``content`` as JSON: what msgspec can encode."""
    return Response(_encode(content), status, media_type="application/json")


def error_reply(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """``{"error": code, "message": message}``."""
    body = _encode({"error": code, "message": message})
    return Response(body, status, dict(headers or {}), media_type="application/json")


async def decode_body(request: Request, decoder: msgspec.json.Decoder[Body]) -> Body:
    """The request's body. Raises ApiError 400 (no JSON), 413 (too large) or 422 (does not fit)."""
    try:
        return decoder.decode(await _read_body(request))
    except msgspec.ValidationError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "malformed_json", str(error)) from None


async def _read_body(request: Request) -> bytearray:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            message = f"a body may have {MAX_BODY_BYTES} bytes"
            raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)
    return body


def read_number(values: Mapping[str, Any], name: str, *, default: int, lowest: int, highest: int) -> int:
    """A whole number of the query string. Raises ApiError 422 where it is none or out of bounds."""
    text = str(values.get(name, default))
    if not (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(highest))
        and lowest <= int(text) <= highest
    ):
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid_query",
            f"{name} must be a whole number from {lowest} to {highest}",
        )
    return int(text)
