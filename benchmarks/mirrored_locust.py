"""Locust in which each user sends each request to both sides, in random order; the locustfile is unmodified.

``python -m benchmarks.mirrored_locust FOLDER BASE_URL HEAD_URL locust-arguments...``, with FOLDER/plan.json
as for the recorder. Half of the users, drawn at random, see base's replies, the others head's; the other side
gets the same request, translated (`benchmarks.translation`), from a session with cookies of its own. Writes
FOLDER/base and FOLDER/head (samples of each side) and FOLDER/twins.json (what became of the pairs).
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import locust.main
import msgspec
from locust import clients, events
from locust.contrib import fasthttp
from requests.exceptions import HTTPError

from benchmarks.translation import Translation, content_of, resource_of
from ci_gate.evidence.recording import RecordingPlan, read_json
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    SampleWriter,
)
from ci_gate.measure.in_locust.answers import Answers
from ci_gate.measure.in_locust.phases import Conductor

Session = fasthttp.FastHttpSession | clients.HttpSession


class SideWriters:
    """Writes each request to the folder of the side that it went to."""

    def __init__(self, folder: Path, urls: tuple[str, str]) -> None:
        self.answers = Answers(urls[0])
        self._urls = urls
        self._writers = []
        for side in ("base", "head"):
            (folder / side).mkdir()
            self._writers.append(SampleWriter(folder / side))

    def write(  # noqa: PLR0913 - the arguments are Locust's
        self,
        *,
        request_type: str,
        name: str,
        response_time: float,
        response_length: int,
        response: Any = None,
        exception: BaseException | None = None,
        start_time: float | None = None,
        url: str | None = None,
        **_more: Any,
    ) -> None:
        """The listener of Locust's request event."""
        writer = self._writers[(url or "").startswith(self._urls[1])]
        status = getattr(response, "status_code", 0) or 0
        by_status = isinstance(exception, fasthttp.LocustBadStatusCode | HTTPError)
        ending = ENDED_WELL
        if exception:
            ending = (ENDED_BY_STATUS if by_status else ENDED_BY_CHECK) if status else ENDED_WITHOUT_REPLY
        start_s = start_time or time.time()
        endpoint = writer.string_id(f"{request_type} {name}")
        error = writer.string_id(repr(exception)) if exception else 0
        row = (start_s, start_s, response_time, response_length, endpoint, error, 0, 0, status, 0, ending)
        writer.write(*row)

    def write_waiting(self) -> None:
        """Nothing: what is in flight at the end does not count here."""

    def write_unsent(self) -> None:
        """Nothing: the workload is closed."""

    def finish(self) -> None:
        for writer in self._writers:
            writer.close()


class Mirror:
    """Sends each request of a session also to the other side."""

    def __init__(self, urls: tuple[str, str], *, by_position: bool, seed: int) -> None:
        self._urls = urls
        self._by_position = by_position
        self._random = random.Random(seed)  # noqa: S311 - the order of requests
        self._twins: dict[int, tuple[Session, Session, Translation]] = {}  # by the id of the user's session
        self._is_twin: set[int] = set()
        self.statuses: dict[str, Counter[str]] = {}  # by endpoint: how often "ours/theirs"
        self.alike: Counter[str] = Counter()  # by endpoint: pairs of replies that say the same of themselves

    def wrap(self, session_class: type[Any]) -> None:
        """From now on, every session of this class is mirrored."""
        send = session_class.request

        def request(session: Any, method: str, url: str, name: str | None = None, **options: Any) -> Any:
            if id(session) in self._is_twin:
                return send(session, method, url, name, **options)
            _, twin, translation = self._twins.get(id(session)) or self._meet(session)
            translated = self._translate(session, twin, translation, options)
            label = name or session.request_name or url
            calls = [
                lambda: send(session, method, self._to(session, url), label, **options),
                lambda: send(twin, method, self._to(twin, translation.url(url)), label, **translated),
            ]
            if self._random.random() < 0.5:  # noqa: PLR2004 - a coin
                ours, theirs = calls[0](), calls[1]()
            else:
                theirs = calls[1]()
                ours = calls[0]()
            self._compare(f"{method} {label}", ours, theirs)
            if ours.status_code == theirs.status_code:
                translation.learn(_read(ours), _read(theirs), resource_of(url))
            return ours

        session_class.request = request

    def _meet(self, session: Any) -> tuple[Session, Session, Translation]:
        ours, theirs = self._random.sample(self._urls, 2)
        session.base_url = ours
        fire = session.request_event
        twin = type(session)(base_url=theirs, request_event=fire, user=session.user)
        self._is_twin.add(id(twin))
        self._twins[id(session)] = session, twin, Translation(by_position=self._by_position)
        return self._twins[id(session)]

    def _to(self, session: Any, url: str) -> str:
        """A locustfile may write out the host; it only knows base's."""
        return url.replace(self._urls[0], session.base_url, 1) if url.startswith(self._urls[0]) else url

    def _translate(
        self, session: Any, twin: Any, translation: Translation, options: dict[str, Any]
    ) -> dict[str, Any]:
        if getattr(session, "auth_header", None):
            twin.auth_header = translation.header(session.auth_header)
        changed = {**options, "catch_response": False}
        if isinstance(session, clients.HttpSession):
            twin.headers.update(translation.headers({k: str(v) for k, v in session.headers.items()}))
        if options.get("headers"):
            changed["headers"] = translation.headers(options["headers"])
        for part in ("json", "params"):
            if options.get(part) is not None:
                changed[part] = translation.body(options[part])
        if isinstance(options.get("data"), dict):
            changed["data"] = translation.body(options["data"])
        return changed

    def _compare(self, endpoint: str, ours: Any, theirs: Any) -> None:
        seen = f"{ours.status_code or 0}/{theirs.status_code or 0}"
        self.statuses.setdefault(endpoint, Counter())[seen] += 1
        self.alike[endpoint] += content_of(_read(ours)) == content_of(_read(theirs))

    def summary(self) -> dict[str, Any]:
        translations = [translation for *_, translation in self._twins.values()]
        return {
            "statuses": self.statuses,
            "alike": self.alike,
            "learnt": sum(each.learnt for each in translations),
            "contradicted": sum(each.contradicted for each in translations),
        }


def _read(reply: Any) -> object:
    try:
        return msgspec.json.decode(reply.content or b"null")
    except msgspec.DecodeError:
        return None


def main() -> None:
    """Run Locust; ends the process with Locust's exit code."""
    folder, urls, arguments = Path(sys.argv[1]), (sys.argv[2], sys.argv[3]), sys.argv[4:]
    by_position = "--by-position" in arguments
    plan = read_json(folder / "plan.json", RecordingPlan)
    writers = SideWriters(folder, urls)
    mirror = Mirror(urls, by_position=by_position, seed=plan.seed)
    mirror.wrap(fasthttp.FastHttpSession)
    mirror.wrap(clients.HttpSession)
    events.request.add_listener(writers.write)
    events.quitting.add_listener(
        lambda **_: (folder / "twins.json").write_text(json.dumps(mirror.summary()), encoding="utf-8")
    )
    Conductor(plan, folder, writers, None).listen(events)
    random.seed(plan.seed)
    sys.argv = ["locust", *(argument for argument in arguments if argument != "--by-position")]
    locust.main.main()


if __name__ == "__main__":
    main()
