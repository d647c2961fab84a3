"""Validity rules about the locustfile: was all of it used, did it say no itself, which page answered it?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

from ci_gate.evidence.readings import Redirects
from ci_gate.evidence.sample_table import count_ids
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import format_exact

LOCUSTFILE_IGNORED: Final = "locustfile-ignored"
_MIN_REDIRECTED: Final = 0.01
_MIN_PAGES: Final = 2
_MOSTLY: Final = 0.5
_READING: Final = ("GET ", "HEAD ")
# As a word of a path: login_form and sign-in are, blogging is not.
_WORD: Final = r"(?<![a-z0-9])(?:{})(?![a-z0-9])"
_SIGN_IN: Final = re.compile(
    _WORD.format(r"(?:log|sign)[-_]?(?:in|on)|sessions?/new|sso|auth|authenticate|authorize"), re.IGNORECASE
)
_SIGN_OUT: Final = re.compile(_WORD.format(r"(?:log|sign)[-_]?(?:out|off)"), re.IGNORECASE)


def _find_ignored(rule_input: RuleInput) -> Iterator[Violation]:
    for setting in rule_input.plan.unused:
        if not setting.replaced:
            use = f"; {setting.key} of the scenario would say it" if setting.key else ""
            yield "locustfile", f"{setting.what} is not used; it {setting.why}{use}"


def _find_replaced(rule_input: RuleInput) -> Iterator[Violation]:
    for setting in rule_input.plan.unused:
        if setting.replaced:
            yield "locustfile", f"{setting.what} is not used: {setting.why}"


def _find_own_verdict(rule_input: RuleInput) -> Iterator[Violation]:
    chosen = rule_input.recording.totals.exit_code if rule_input.recording.totals else None
    if chosen:
        last = _describe_printed(chosen.printed)
        yield "locustfile", f"the locustfile set process_exit_code = {chosen.code}{last}"


def _find_own_stop(rule_input: RuleInput) -> Iterator[Violation]:
    stopped = rule_input.recording.totals.stopped if rule_input.recording.totals else None
    if stopped:
        where = f" ({stopped.where})" if stopped.where else ""
        planned = format_exact(rule_input.plan.duration_s)
        measured = f"{rule_input.steady.duration_s:.1f} s of {planned} s were measured"
        last = _describe_printed(stopped.printed)
        yield "locustfile", f"the locustfile ended the test{where}: {measured}{last}"


def _describe_printed(lines: tuple[str, ...]) -> str:
    return f"; it printed last: {' / '.join(lines)}" if lines else ", and printed nothing"


def _find_own_hosts(rule_input: RuleInput) -> Iterator[Violation]:
    for name, host in (rule_input.recording.totals.own_hosts if rule_input.recording.totals else {}).items():
        yield (
            name,
            f"it is no HTTP user and kept its own host {host}; whether that is the service is not known",
        )


def _find_redirected(rule_input: RuleInput) -> Iterator[Violation]:
    """Several pages that were read and are one, or a login instead of what was asked for.

    That a change is answered by a redirect to its result is how the web works, and so is a slash more.
    """
    requests = _count_requests(rule_input)
    pages: dict[str, list[Redirects]] = {}
    for seen in rule_input.recording.totals.redirects if rule_input.recording.totals else ():
        if seen.count >= _MIN_REDIRECTED * requests.get(seen.endpoint, math.inf):
            pages.setdefault(seen.page, []).append(seen)
    for page, group in pages.items():
        away = [each for each in group if not _is_about_signing(each.asked)]
        read = {
            path.rstrip("/")
            for each in away
            if each.endpoint.startswith(_READING)
            for path in (each.asked, each.also_asked)
            if path and not _is_about_signing(path)
        }
        if len(read) >= _MIN_PAGES or _SIGN_IN.search(page):
            for each in away:
                yield each.endpoint, _describe(each, requests)


def _find_other_pages(rule_input: RuleInput) -> Iterator[Violation]:
    """A page that was read and is another one, as a site's first page may be: nobody but a reader knows."""
    requests = _count_requests(rule_input)
    told = set(_find_redirected(rule_input))
    for seen in rule_input.recording.totals.redirects if rule_input.recording.totals else ():
        is_most = seen.count >= _MOSTLY * requests.get(seen.endpoint, math.inf)
        is_read = seen.endpoint.startswith(_READING) and not _is_about_signing(seen.asked)
        if is_most and is_read and (note := (seen.endpoint, _describe(seen, requests))) not in told:
            yield note


def _describe(seen: Redirects, requests: dict[str, int]) -> str:
    total = max(requests[seen.endpoint], seen.count)
    others = f", {seen.also_asked} ..." if seen.also_asked else ""
    return (
        f"{seen.count:,} of {total:,} replies came from {seen.page}, by redirects from {seen.asked}{others}"
    )


def _count_requests(rule_input: RuleInput) -> dict[str, int]:
    """Those of each endpoint in the steady phase."""
    numbers, counts = count_ids(rule_input.steady.samples["endpoint"])
    names = (rule_input.steady.strings[number] for number in numbers)
    return dict(zip(names, map(int, counts), strict=True))


def _is_about_signing(path: str) -> bool:
    return bool(_SIGN_IN.search(path) or _SIGN_OUT.search(path))


LOCUSTFILE_RULES: Final = (
    Rule(
        code=LOCUSTFILE_IGNORED,
        severity="invalid",
        stage=Stage.REQUESTS,
        find=_find_ignored,
        meaning="something that Locust would have used to choose what is sent was not used: a shape, tags, "
        "options in locust.conf or pyproject.toml",
        threshold_text="whatever would have changed which requests are sent",
        remedy="say it under the key that the finding names, take it out, or say in relax why the load is "
        "right without it",
    ),
    Rule(
        code="settings-replaced",
        severity="info",
        stage=Stage.REQUESTS,
        find=_find_replaced,
        meaning="something of the locustfile or of Locust's settings was not used: thresholds.yaml says the "
        "same, or it changes no request",
        threshold_text="any",
        remedy="nothing, if thresholds.yaml says what is meant",
    ),
    Rule(
        code="own-host",
        severity="info",
        stage=Stage.REQUESTS,
        find=_find_own_hosts,
        meaning="users that are no HTTP users kept the host of their class: a URL is of no use to them",
        threshold_text="a class with a host that is no URL of http or https",
        remedy="make sure that it is the service under test, or what stands beside it",
    ),
    Rule(
        code="redirected",
        severity="insufficient",
        stage=Stage.REPLIES,
        find=_find_redirected,
        meaning="replies came from another page than the one asked for: several pages were one and the same, "
        "or a login",
        threshold_text=f"{_MIN_REDIRECTED:.0%} or more of the requests of an endpoint, in the steady phase",
        remedy="check in on_start that the login worked, and let the scenario call the page that answers",
    ),
    Rule(
        code="other-page",
        severity="info",
        stage=Stage.REPLIES,
        find=_find_other_pages,
        meaning="another page than the one asked for answered most reads of an endpoint; it is no login",
        threshold_text=f"{_MOSTLY:.0%} or more of the requests of a GET or HEAD, in the steady phase",
        remedy="nothing, if that page is meant; let the scenario call it, so that one request is one",
    ),
    Rule(
        code="locustfile-failed",
        severity="insufficient",
        stage=Stage.SCENARIO,
        find=_find_own_verdict,
        meaning="the locustfile itself says that the run failed: it set environment.process_exit_code",
        threshold_text="any exit code but 0",
        remedy="fix what the locustfile checks; locust.log has all that it printed",
    ),
    Rule(
        code="locustfile-stopped",
        severity="insufficient",
        stage=Stage.SCENARIO,
        find=_find_own_stop,
        meaning="the locustfile itself ended the test: runner.quit(), runner.stop(), StopTest",
        threshold_text="always",
        remedy="fix what made it stop; locust.log has all that it printed. Relaxed, what was measured until "
        "then is judged",
    ),
)
