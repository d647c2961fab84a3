"""Evidence in a few lines of text, for tests of what is judged.

A line each, in any order, over ten seconds of ramp, then the steady phase, and five of drain::

    10 ShopUser                              users that thresholds.yaml asks for, and that run
    steady 20 s                              how long the steady phase is
    600 GET /items 200 5-50ms                requests, spread evenly over the phase, with these latencies
    3 GET /items 503 2ms retry-after ramp    words: html, same-body, empty, retry-after, ramp, by <class>,
                                             within 3-6 s (of the phase), and how it ended: checked,
                                             unreachable, never, unreported
    limit all worst p95 500ms over 10s       of the worst window; limit GET /items p95 200ms
                                             accept GET /items 404, 410; expect GET /items; relax <code> <why>
    arrivals 50/s                            an open workload; 9 (not sent) 0 90ms never: for want of users
    offers 50/s                              what the users can offer; least ShopUser 45/s: at least
    reading 3-6 s cpu 95 lag 400             also users Name=7; host 100: of the machine; service 90: its CPU
                                             others 1.5: cores that other programs took, of 2
    mark spawn_timeout                       a mark more; no mark ended: one less; no totals
    stopping at 12 s                         before the planned end
    wall clock +30 s at 5 s                  it jumps
    service ended at 5 s                     service restarted at 5 s
    probe redis fails at 1-10 s: timed out   otherwise it reads once a second
    start failure ShopUser 3 Error()         task error ShopUser 9 Error(); listener errors 3
    Locust counted GET /items 598 2          instead of what the samples say; heard GET /items 599 0
    9 of GET /items from /items by /login    replies that came from another page
    9 of GET /item from /item/1 and /item/2 by /    the same, of several paths with one name
    exit code 1: the books do not balance    own host Lines 127.0.0.1:90
    stopped by books.py:14, in watch: enough 3 ShopUser left
    shape Spike; shape ended it              reading 3-9 s target=10
    unused tags in locust.conf: would have   replaced LOCUST_USERS: users
    remote worker 2 clock 80 ms              they are on other machines; or: undelivered
    processes 2                              of Locust; worker 2 lost: it left no totals
    3 odd MQ publish: response_length 10.5   what an event brought; 2 damaged rows
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ci_gate.evidence.readings import EarlyStop, ErrorCount, ExitCode, OddValue, Redirects
from ci_gate.evidence.recording import Recording, RecordingPlan
from ci_gate.evidence.samples import (
    ENDED_BY_CHECK,
    ENDED_BY_STATUS,
    ENDED_DAMAGED,
    ENDED_NEVER,
    ENDED_UNREPORTED,
    ENDED_WELL,
    ENDED_WITHOUT_REPLY,
    FLAG_HTML,
    FLAG_RETRY_AFTER,
)
from ci_gate.evidence.workload import UnusedSetting, Workload
from ci_gate.judge.steady import ClassifiedRecording, classify
from ci_gate.run.plan import plan_recording
from ci_gate.thresholds import Scenario, Thresholds
from tests.judge.evidence_drawing import (
    RAMP_S,
    STARTED_S,
    Draft,
    make_recording,
    make_thresholds,
)

GOLDEN = 0.618034  # multiples of it, modulo 1, are spread evenly in any stretch
SAME_BODY_CRC = 7
ENDINGS = {
    "checked": ENDED_BY_CHECK,
    "unreachable": ENDED_WITHOUT_REPLY,
    "never": ENDED_NEVER,
    "unreported": ENDED_UNREPORTED,
}

HEALTHY = """
10 ShopUser
steady 20 s
600 GET /items 200 5-50ms
300 POST /orders 201 10-80ms
limit all p50 100ms
limit GET /items p95 200ms
expect POST /orders
offers 50/s
least ShopUser 45/s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    thresholds: Thresholds
    plan: RecordingPlan
    recording: Recording

    @property
    def scenario(self) -> Scenario:
        return self.thresholds.scenarios[0]

    @property
    def classified(self) -> ClassifiedRecording:
        return classify(self.recording, self.scenario.accept)


def draw(text: str) -> Evidence:
    """The evidence that ``text`` describes."""
    draft = Draft()
    for line in filter(None, map(str.strip, text.splitlines())):
        read_line(draft, line)
    thresholds = make_thresholds(draft)
    workload = Workload(locustfile="shop.py", classes=(), error=None)
    plan = plan_recording(thresholds.scenarios[0], thresholds.profiles[0], workload)
    return Evidence(
        thresholds=thresholds,
        plan=msgspec.structs.replace(plan, **draft.offered),
        recording=make_recording(draft),
    )


def read_line(draft: Draft, line: str) -> None:
    for pattern, read in LINES:
        if found := re.fullmatch(pattern, line):
            read(draft, *found.groups())
            return
    raise AssertionError(f"no such notation: {line}")


def read_requests(draft: Draft, count, endpoint, status, low, high, words) -> None:
    words = words.split()
    by = words[words.index("by") + 1] if "by" in words else next(iter(draft.users))
    ending = next((ENDINGS[word] for word in words if word in ENDINGS), None)
    if ending is None:
        ending = ENDED_WELL if int(status) < 400 else ENDED_BY_STATUS
    begin_s, length_s = (0.0, RAMP_S) if "ramp" in words else (RAMP_S, draft.steady_s)
    if "within" in words:
        first_s, last_s = map(float, words[words.index("within") + 1].split("-"))
        begin_s, length_s = RAMP_S + first_s, last_s - first_s
    flags = FLAG_HTML * ("html" in words) | FLAG_RETRY_AFTER * ("retry-after" in words)
    for number in range(int(count)):
        start_s = STARTED_S + begin_s + length_s * (number + 0.5) / int(count)
        latency_ms = float(low) + (float(high or low) - float(low)) * (number * GOLDEN % 1)
        crc = 0 if "empty" in words else SAME_BODY_CRC if "same-body" in words else 1000 + len(draft.rows)
        ids = draft.text_id(endpoint), draft.text_id("an error") * (ending != ENDED_WELL)
        draft.rows.append(
            (start_s, start_s, latency_ms, 100, *ids, crc, draft.text_id(by), int(status), flags, ending)
        )


def read_reading(draft: Draft, begin, end, words) -> None:
    pairs = re.findall(r"(?:users )?(\w+)[ =](\d+(?:\.\d+)?)", words)
    draft.readings.append((float(begin), float(end or begin), {name: float(value) for name, value in pairs}))


def read_limit(draft: Draft, endpoint, metric, bound) -> None:
    draft.scenario.setdefault("limits", {}).setdefault(endpoint, {})[metric] = bound


def read_worst(draft: Draft, endpoint, metric, bound, over) -> None:
    limits = draft.scenario.setdefault("limits", {}).setdefault(endpoint, {})
    limits.setdefault("worst", {}).update({metric: bound, "over": over})


def read_accept(draft: Draft, endpoint, statuses) -> None:
    draft.scenario.setdefault("accept", {})[endpoint] = [int(status) for status in statuses.split(",")]


def read_error(draft: Draft, kind, subject, count, error) -> None:
    errors = draft.start_failures if kind == "start failure" else draft.task_errors
    errors.append(ErrorCount(subject=subject, error=error, count=int(count)))


def read_redirects(draft: Draft, count, endpoint, asked, also_asked, page) -> None:
    draft.redirects.append(
        Redirects(endpoint=endpoint, asked=asked, also_asked=also_asked or "", page=page, count=int(count))
    )


def read_exit_code(draft: Draft, code, printed) -> None:
    lines = tuple(filter(None, map(str.strip, printed.split("/"))))
    draft.exit_code = ExitCode(code=code, printed=lines)


def read_stop(draft: Draft, where, printed) -> None:
    lines = tuple(filter(None, map(str.strip, printed.split("/"))))
    draft.stopped = EarlyStop(where="" if where == "nobody" else where, printed=lines)


def read_unused(draft: Draft, kind, what, why) -> None:
    setting = UnusedSetting(what=what, why=why, replaced=kind == "replaced")
    draft.offered["unused"] = (*draft.offered.get("unused", ()), setting)


def read_listener_errors(draft: Draft, count, error) -> None:
    draft.listener_errors = int(count)
    draft.listener_texts += [ErrorCount(subject="check", error=error, count=int(count))] if error else []


def read_least(draft: Draft, user_class, rate) -> None:
    draft.offered.setdefault("least_offered_per_s", {})[user_class] = float(rate)


def read_processes(draft: Draft, processes) -> None:
    draft.workers = draft.offered["processes"] = int(processes)


def read_remote(draft: Draft, number, kind, value) -> None:
    """``undelivered``: delivery.json did not come; ``clock``: how far its clock may be off."""
    draft.offered["remote"] = True
    if kind == "undelivered":
        draft.undelivered.add(int(number))
    else:
        draft.clocks[int(number)] = float(value) / 1000


def read_odd(draft: Draft, count, endpoint, argument, value) -> None:
    odd = OddValue(endpoint=endpoint, argument=argument, value=value, read_as="a failure", count=int(count))
    draft.odd_values.append(odd)


LINES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"(\d+) ([A-Z]\w+)", lambda draft, count, name: draft.users.update({name: int(count)})),
    (r"steady ([\d.]+) s", lambda draft, seconds: setattr(draft, "steady_s", float(seconds))),
    (r"(\d+) ([A-Z]+ \S+|\(not sent\)) (\d+) ([\d.]+)(?:-([\d.]+))?ms ?(.*)", read_requests),
    (r"limit (all|\S+ \S+) worst (\S+) (\S+) over (\S+)", read_worst),
    (r"limit (all|\S+ \S+) (\S+) (\S+)", read_limit),
    (r"accept (\S+ \S+) ([\d, ]+)", read_accept),
    (r"arrivals (\S+)", lambda draft, rate: draft.scenario.update(arrivals=rate)),
    (r"expect (.+)", lambda draft, name: draft.scenario.setdefault("expected", []).append(name)),
    (r"relax (\S+) (.+)", lambda draft, *pair: draft.scenario.setdefault("relax", {}).update([pair])),
    (r"offers ([\d.]+)/s", lambda draft, rate: draft.offered.update(offered_per_s=float(rate))),
    (r"least (\S+) ([\d.]+)/s", read_least),
    (r"reading (\d+)(?:-(\d+))? s (.+)", read_reading),
    (r"mark (\S+)", lambda draft, name: draft.marks.insert(1, name)),
    (r"no mark (\S+)", lambda draft, name: draft.marks.remove(name)),
    (r"stopping at (\d+) s", lambda draft, at: setattr(draft, "stopping_s", float(at))),
    (r"no totals", lambda draft: setattr(draft, "has_totals", False)),
    (
        r"wall clock ([+-][\d.]+) s at (\d+) s",
        lambda draft, by, at: setattr(draft, "jump", (float(by), float(at))),
    ),
    (r"service ended at (\d+) s", lambda draft, at: setattr(draft, "ended_s", float(at))),
    (r"service restarted at (\d+) s", lambda draft, at: setattr(draft, "restarted_s", float(at))),
    (
        r"probe (\w+) fails at (-?\d+)-(\d+) s: (.+)",
        lambda draft, name, begin, end, error: draft.probes.append((name, float(begin), float(end), error)),
    ),
    (r"(start failure|task error) (\S+) (\d+) (.+)", read_error),
    (r"other host (\S+) (.+)", lambda draft, host, name: draft.other_hosts.update({name: host})),
    (r"own host (\S+) (\S+)", lambda draft, name, host: draft.own_hosts.update({name: host})),
    (r"(\d+) of (\S+ \S+) from (\S+)(?: and (\S+))? by (\S+)", read_redirects),
    (r"exit code (\S+):(.*)", read_exit_code),
    (r"stopped by (\S+, in \w+|nobody): ?(.*)", read_stop),
    (r"(\d+) ([A-Z]\w+) left", lambda draft, count, name: draft.left_users.update({name: int(count)})),
    (r"shape ended it", lambda draft: setattr(draft, "shape_ended", True)),
    (r"shape (\w+)", lambda draft, name: draft.scenario.update(shape=name)),
    (r"(unused|replaced) (.+): (.+)", read_unused),
    (r"listener errors (\d+)(?: (.+))?", read_listener_errors),
    (
        r"Locust counted (\S+ \S+) (\d+) (\d+)",
        lambda draft, name, *counts: draft.counted.update({name: tuple(map(int, counts))}),
    ),
    (
        r"heard (\S+ \S+) (\d+) (\d+)",
        lambda draft, name, *counts: draft.heard.update({name: tuple(map(int, counts))}),
    ),
    (r"processes (\d+)", read_processes),
    (r"remote worker (\d+) (undelivered|clock)(?: ([\d.]+) ms)?", read_remote),
    (r"worker (\d+) lost", lambda draft, number: draft.lost.add(int(number))),
    (r"(\d+) odd (.+): (\w+) (.+)", read_odd),
    (
        r"(\d+) damaged rows?",
        lambda draft, count: draft.rows.extend([(*([0] * 10), ENDED_DAMAGED)] * int(count)),
    ),
)
