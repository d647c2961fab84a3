from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.judge.changes.approval import digest_loosening, judge_approval
from ci_gate.judge.changes.threshold_changes import ThresholdChange, compare_thresholds
from tests.judge.test_threshold_changes import ALL, DOCUMENT, edit, parse

LABEL = "thresholds-approved"
MAX_OF_A_LABEL = 50  # GitHub takes no longer name


def changes(to, path=(*ALL, "p50"), old=DOCUMENT):
    return compare_thresholds(parse(old), parse(edit(*path, to=to)))


def label_of(edited):
    return judge_approval(edited, LABEL, ()).label


def test_approval__is_of_exactly_what_is_loosened():
    """200ms -> 250ms is approved; a later push of 300ms is not."""
    approved = label_of(changes("250ms"))
    assert not judge_approval(changes("250ms"), LABEL, ("bug", approved)).is_missing
    assert judge_approval(changes("300ms"), LABEL, ("bug", approved)).is_missing
    assert judge_approval(changes("300ms"), LABEL, (approved,)).others == (approved,)


def test_approval__holds_while_the_loosened_set_stays_as_it_is():
    """Also where other settings change, or are tightened, or other files are edited."""
    approved = label_of(changes("250ms"))
    more = copy.deepcopy(DOCUMENT)
    more["scenarios"]["checkout"]["limits"]["all"] |= {"p50": "250ms", "p99": "1s", "rate": "60/s"}
    pushed = compare_thresholds(
        parse(DOCUMENT), parse(more), old_files={"a.py": "1"}, new_files={"a.py": "2"}
    )
    assert len(pushed) == 4
    assert not judge_approval(pushed, LABEL, (approved,)).is_missing


def test_approval__of_one_setting_is_none_of_another_or_of_two():
    approved = label_of(changes("250ms"))
    other = edit("scenarios", "burst", "limits", "all", "p50", to="2s")
    assert judge_approval(compare_thresholds(parse(DOCUMENT), parse(other)), LABEL, (approved,)).is_missing
    two = copy.deepcopy(other)
    two["scenarios"]["checkout"]["limits"]["all"]["p50"] = "250ms"
    assert judge_approval(compare_thresholds(parse(DOCUMENT), parse(two)), LABEL, (approved,)).is_missing


def rename_scenario(p50):
    document = edit(*ALL, "p50", to=p50)
    document["scenarios"]["pay"] = document["scenarios"].pop("checkout")
    return document


def rename_endpoint(p95):
    document = edit("scenarios", "checkout", "limits", "GET /a/", to={"p95": p95})
    del document["scenarios"]["checkout"]["limits"]["GET /a"]
    return document


@pytest.mark.parametrize("rename", [rename_scenario, rename_endpoint])
def test_approval__of_another_name_is_of_what_stands_under_it(rename):
    """What was removed is loosened; what came in its place was only added."""
    little, much = (compare_thresholds(parse(DOCUMENT), parse(rename(text))) for text in ("310ms", "20s"))
    approved = label_of(little)
    assert not judge_approval(little, LABEL, (approved,)).is_missing
    assert judge_approval(much, LABEL, (approved,)).is_missing


def test_approval__of_a_removed_scenario_is_of_all_that_it_asked():
    removed = edit("scenarios", "burst")
    burst = ("scenarios", "burst", "limits", "all", "p50")
    labels = [
        label_of(compare_thresholds(parse(edit(*burst, to=text)), parse(removed)))
        for text in ("1s", "1000ms", "2s")
    ]
    assert labels[0] == labels[1] != labels[2]


def test_approval__is_of_one_base_too():
    """Base has become stricter since: what was a small step is a large one."""
    approved = label_of(changes("250ms"))
    stricter = edit(*ALL, "p50", to="100ms")
    assert judge_approval(changes("250ms", old=stricter), LABEL, (approved,)).is_missing


@pytest.mark.parametrize(
    ("labels", "is_missing", "others"),
    [
        ((), True, ()),
        ((LABEL,), True, (LABEL,)),
        ((f"{LABEL}:{'a' * 26}", "bug"), True, (f"{LABEL}:{'a' * 26}",)),
        ((f"{LABEL}-not", f"{LABEL}ed"), True, ()),
        (("{label}", LABEL), False, (LABEL,)),
        (("{LABEL}",), False, ()),  # GitHub's labels differ by more than case
    ],
)
def test_label__that_counts(labels, is_missing, others):
    exact = label_of(changes("250ms"))
    given_labels = [each.replace("{label}", exact).replace("{LABEL}", exact.upper()) for each in labels]
    approval = judge_approval(changes("250ms"), LABEL, given_labels)
    assert (approval.is_missing, approval.others) == (is_missing, others)


def test_tightening__needs_no_approval():
    assert not judge_approval(changes("150ms"), LABEL, ()).is_missing


def test_label__fits_into_githubs():
    longest = {**DOCUMENT, "changes": {"loosening": {"label": "x" * 23}}}
    label = judge_approval(changes("250ms"), parse(longest).loosening_label, ()).label
    assert len(label) == MAX_OF_A_LABEL
    assert re.fullmatch(r"x{23}:[a-z2-7]{26}", label)


TEXTS = st.none() | st.text('ab,"[]\\: ', max_size=4)
LOOSENED = st.builds(
    ThresholdChange,
    scenario=st.text('ab", ', max_size=3),
    endpoint=st.text('ab", ', max_size=3),
    setting=st.text('ab", ', max_size=3),
    old=TEXTS,
    new=TEXTS,
    direction=st.just("loosened"),
    line=st.none() | st.integers(1, 9),
)


def _said(change):
    return (change.scenario, change.endpoint, change.setting, change.old or "", change.old is None,
            change.new or "", change.new is None)  # fmt: skip


SETS = st.lists(LOOSENED, max_size=3)


@given(SETS, SETS)
def test_digest__is_equal_for_equal_sets_alone(one, other):
    same = sorted(map(_said, one)) == sorted(map(_said, other))
    assert (digest_loosening(one) == digest_loosening(other)) is same
    assert digest_loosening(one) == digest_loosening(reversed(one))
