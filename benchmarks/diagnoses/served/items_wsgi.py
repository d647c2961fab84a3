"""Items of a table, by WSGI: each worker of gunicorn has one connection to the database."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

WAIT_S = float(os.environ.get("WAIT_S", "0"))
KEPT: dict[str, psycopg.Connection[Any]] = {}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """``/items/7``, after WAIT_S; anything else is an empty reply."""
    body = b"{}"
    if environ["PATH_INFO"].startswith("/items/"):
        if not KEPT:
            KEPT["own"] = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        number = int(environ["PATH_INFO"].rpartition("/")[2])
        rows = KEPT["own"].execute("SELECT name FROM items WHERE id = %s", [number]).fetchall()
        time.sleep(WAIT_S)
        body = json.dumps({"names": [name for (name,) in rows]}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
