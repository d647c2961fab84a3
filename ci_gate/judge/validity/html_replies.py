"""The validity rule about HTML: is it a page that was asked for, or what answered in place of the service?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ci_gate.evidence.sample_table import count_numbers
from ci_gate.evidence.samples import FLAG_HTML
from ci_gate.judge.validity.findings import Rule, RuleInput, Stage, Violation
from ci_gate.wording import count

_MAX_FAILURES: Final = 0.01
_MAJORITY: Final = 0.5
_MIN_ALIKE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replies:
    """What each endpoint answered in the whole recording, by its number: only replies that have a body.

    ``good`` are successes. ``begins_otherwise``: the first good one is no HTML. ``is_shared``: all good ones
    are one and the same HTML, which another endpoint answers too.
    """

    bodies: NDArray[np.intp]
    pages: NDArray[np.intp]
    good: NDArray[np.intp]
    good_pages: NDArray[np.intp]
    begins_otherwise: NDArray[np.bool_]
    is_shared: NDArray[np.bool_]

    @property
    def is_page(self) -> NDArray[np.bool_]:
        """Always HTML, from the start: in the ramp too, or what came later could pass for it."""
        is_page: NDArray[np.bool_] = (self.good > 0) & (self.good_pages == self.good)
        return is_page

    @property
    def is_of_a_site(self) -> bool:
        """Whether HTML is what most endpoints answer."""
        answers = self.good > 0
        return bool((self.good_pages > _MAJORITY * self.good)[answers].sum() > _MAJORITY * answers.sum())


def _find_html(rule_input: RuleInput) -> Iterator[Violation]:
    """HTML of an API that answers otherwise: from a proxy, a login, a debugger, a route that catches all."""
    replies = _count_replies(rule_input)
    is_mixed = (replies.good_pages > 0) & ~replies.is_page
    found = is_mixed & replies.begins_otherwise
    if not replies.is_of_a_site:
        is_failing = (replies.pages > 0) & (replies.pages >= _MAX_FAILURES * replies.bodies)
        found |= is_mixed | (is_failing & ~replies.is_page)
    found |= replies.is_shared
    for number in np.flatnonzero(found):
        pages, bodies = int(replies.pages[number]), int(replies.bodies[number])
        is_html = f"{'is' if pages == 1 else 'are'} HTML"
        message = f"{pages:,} of {count(bodies, 'reply', 'replies')} {is_html}"
        message += f", {replies.good_pages[number]:,} of them successes"
        message += ", and another endpoint answers the very same" if replies.is_shared[number] else ""
        yield rule_input.recording.strings[number], message


def _find_pages(rule_input: RuleInput) -> Iterator[Violation]:
    replies = _count_replies(rule_input)
    if replies.is_of_a_site:
        return
    others = int(((replies.good > 0) & ~replies.is_page).sum())
    for number in np.flatnonzero(replies.is_page & ~replies.is_shared):
        message = f"all {replies.good_pages[number]:,} successes are HTML: taken for a page"
        message += f", beside {count(others, 'endpoint')} of something else"
        yield rule_input.recording.strings[number], message


def _count_replies(rule_input: RuleInput) -> _Replies:
    samples, strings = rule_input.recording.samples, rule_input.recording.strings
    success = rule_input.classified.success
    html, has_body = samples["flags"] & FLAG_HTML > 0, samples["body_crc"] > 0

    def tally(rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        return count_numbers(samples["endpoint"][rows], len(strings))

    def first_s(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        found = np.full(len(strings), np.inf)
        np.minimum.at(found, samples["endpoint"][rows], samples["start_s"][rows])
        return found

    begins_otherwise = np.zeros(len(strings), dtype=np.bool_)
    if (
        html.any()
    ):  # else it is all the same: most services have no page, and there may be millions of replies
        begins_otherwise = first_s(success & has_body & ~html) < first_s(success & html)
    counted = _Replies(
        bodies=tally(has_body),
        pages=tally(html),
        good=tally(success & has_body),
        good_pages=tally(success & html),
        begins_otherwise=begins_otherwise,
        is_shared=np.zeros(len(strings), dtype=np.bool_),
    )
    # Where everything is HTML, the rule of the uniform body says as much.
    if _MIN_ALIKE <= counted.is_page.sum() < (counted.good > 0).sum():
        counted.is_shared[:] = _find_shared(counted, samples[success & html])
    return counted


def _find_shared(replies: _Replies, pages: NDArray[np.void]) -> NDArray[np.bool_]:
    """Of a site only where all its pages are one: two endpoints that lead to its front page are usual."""
    body = (pages["body_crc"].astype(np.uint64) << np.uint64(32)) ^ pages["bytes"].astype(np.uint64)
    lowest = np.full(len(replies.good), np.iinfo(np.uint64).max)
    highest = np.zeros(len(replies.good), dtype=np.uint64)
    np.minimum.at(lowest, pages["endpoint"], body)
    np.maximum.at(highest, pages["endpoint"], body)
    is_constant = replies.is_page & (lowest == highest)
    bodies, counts = np.unique(lowest[is_constant], return_counts=True)
    is_one_page = len(bodies) == 1 and bool((is_constant == replies.is_page).all())
    if replies.is_of_a_site and not is_one_page:
        return np.zeros_like(is_constant)
    is_shared: NDArray[np.bool_] = is_constant & np.isin(lowest, bodies[counts >= _MIN_ALIKE])
    return is_shared


HTML_RULES: Final = (
    Rule(
        code="html-replies",
        severity="insufficient",
        stage=Stage.REPLIES,
        find=_find_html,
        meaning="HTML from an endpoint that otherwise answers something else, or the same HTML from several",
        threshold_text=f"any success, or {_MAX_FAILURES:.0%} or more of an endpoint's replies, in the ramp "
        "too; not where all its successes are HTML that no other endpoint answers too. Where over "
        f"{_MAJORITY:.0%} of the endpoints answer HTML, only something else and then HTML, or one page for "
        "all",
        remedy="look at one reply: a proxy, a login page, a debugger or a catch-all route may have answered; "
        "if it is right, `relax: {html-replies: why it is right}`",
    ),
    Rule(
        code="page-beside-api",
        severity="info",
        stage=Stage.REPLIES,
        find=_find_pages,
        meaning="an endpoint answers HTML and nothing else, while most others answer something else",
        threshold_text="always",
        remedy="nothing, if it is a page; else look at one reply: a login page or a catch-all route",
    ),
)
