"""Takes secrets out of a log that others have written, once nobody writes to it any more."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ci_gate.addresses import HIDDEN, kept_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def mask_file(path: Path, secrets: Iterable[str] | None = None) -> None:
    """Write ``***`` over every secret in the file; of this process's own, unless others are given.

    Written beside it first, so that it is never half a file. A file that cannot be read is left as it is.
    """
    wanted = sorted((kept_secrets() if secrets is None else secrets), key=len, reverse=True)
    with contextlib.suppress(OSError):
        text = path.read_bytes() if wanted else b""
        masked = text
        for secret in wanted:
            masked = masked.replace(secret.encode(errors="replace"), HIDDEN.encode())
        if masked != text:
            temporary = path.with_name(f".{path.name}.masked")
            temporary.write_bytes(masked)
            temporary.replace(path)
