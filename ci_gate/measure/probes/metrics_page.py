"""What the service shows of itself in Prometheus' text format."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import requests
from prometheus_client.parser import text_string_to_metric_families

from ci_gate.addresses import hide_credentials
from ci_gate.measure.probes.notes import NotesOnce
from ci_gate.wording import format_exact

_CONNECT_TIMEOUT_S: Final = 2.0
_READ_TIMEOUT_S: Final = 5.0  # the page comes from the service under load: late says more than never
_MAX_BYTES: Final = 4 * 1024**2
_CHUNK_BYTES: Final = 64 * 1024
_OK: Final = 200
_DECLARED: Final = re.compile(r"^# TYPE (\S+) (?:counter|gauge)", re.MULTILINE)


class MetricsPageProbe:
    """Fetches the page and sums each metric over its labels. One that the page does not have is left out."""

    def __init__(
        self,
        url: str,
        metrics: tuple[tuple[str, str], ...],
        note: Callable[[str], None],
        ca: Path | None = None,
    ) -> None:
        self._url, self._shown = url, hide_credentials(url)
        self._metrics = dict(metrics)
        self._note = NotesOnce("service", note)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between the probe and the service
        self._session.verify = str(ca) if ca else True
        self._session.headers.update({"Accept": "text/plain;version=0.0.4", "Connection": "close"})

    def read(self) -> dict[str, float]:
        try:
            page = self._fetch()
        finally:
            self.disconnect()  # the server is about to close it: a second request on it may have no answer
        sums = sum_metrics(page, set(self._metrics.values()))
        values = {role: sums[metric] for role, metric in self._metrics.items() if metric in sums}
        if not values:
            raise ValueError(f"the page has none of {', '.join(self._metrics.values())}")
        for role in self._metrics.keys() - values.keys():
            self._note(f"the page has no {self._metrics[role]} ({role}) so far")
        return values

    def disconnect(self) -> None:
        self._session.close()

    def finish(self) -> None:
        self.disconnect()

    def _fetch(self) -> str:
        deadline = time.monotonic() + _READ_TIMEOUT_S
        timeouts = (_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S)
        with self._session.get(self._url, timeout=timeouts, stream=True, allow_redirects=False) as reply:
            if reply.status_code != _OK:
                raise ValueError(f"{self._shown} answered {reply.status_code}")
            body = bytearray()
            # read1: what is there, so that a page that comes in drops ends in time too.
            while chunk := reply.raw.read1(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError(f"{self._shown} is larger than {_MAX_BYTES // 1024**2} MiB")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self._shown} took longer than {format_exact(_READ_TIMEOUT_S)} s")
        return body.decode("utf-8", "replace")


def sum_metrics(page: str, names: set[str]) -> dict[str, float]:
    """The sum over all labels of each metric in ``names`` that the page has; 0 for one without samples yet.

    Only the samples of these metrics are parsed: a page of thousands costs little then, and without its type
    a counter keeps the name that the page gives it. Raises ValueError for a line that is not of the format.
    """
    sums = dict.fromkeys(names.intersection(_DECLARED.findall(page)), 0.0)
    samples = "\n".join(line for line in page.splitlines() if line.startswith(tuple(names)))
    for family in text_string_to_metric_families(f"{samples}\n"):
        for sample in family.samples:
            if sample.name in names and math.isfinite(sample.value):
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
