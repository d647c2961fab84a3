"""Whatever the text, `parse_thresholds` returns a value or raises BadInputError, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci_gate.errors import BadInputError
from ci_gate.thresholds import parse_thresholds

GOOD = (Path(__file__).parent / "ok" / "every-key.yaml").read_text(encoding="utf-8")
FRAGMENTS = st.sampled_from(
    [
        "&a ", "*a", "<<: ", "!!python/object/apply:os.system ", "!!binary |\n", "!!set ",
        "!!timestamp ", "\t", "---\n",
        "...\n", "%YAML 9.9\n", "%TAG ! x\n", "? ", "- ", "{", "}", "[", "]", "|", ">", '"\\UFFFFFFFF"',
        '"\\ud800"', "'",
        '"', "#", "\x00", "\x85", "\u2028", "\u202e", "\ud800", "1" * 50, "1e999", ".nan", "-.inf",
        "2024-01-01", "~",
        "null", "\n", "\n\n  ", ": ", ", ", "%", "@", "`", "!<", "!%FF ", "\U0001f600", "&", "*",
        "|2-9", "\r", "0x", "\\",
        "{a: b}: c\n", "? [x]\n: y\n", "p100.5: 1s", "a: " * 60, "[" * 60, "{port}", "${", "=", "\ufeff",
    ]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 25), FRAGMENTS), min_size=1, max_size=4)
SECONDS_ENOUGH = 20  # for a text at the caps on a busy machine; what is quadratic takes minutes


def refuse_or_parse(text):
    """The Problems; none where the text is good."""
    try:
        assert parse_thresholds(text, "t.yaml").scenarios
    except BadInputError as error:
        problems = error.problems
    else:
        return ()
    assert problems
    assert list(problems) == sorted(set(problems))
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert all("\n" not in str(problem) for problem in problems)
    return problems


@settings(max_examples=400, deadline=None)
@given(edits=EDITS)
def test_damaged_file__is_parsed_or_refused(edits):
    text = GOOD
    for start, length, fragment in edits:
        text = text[:start] + fragment + text[start + length :]
    refuse_or_parse(text)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.text(max_size=200), st.lists(FRAGMENTS, max_size=30).map("".join)))
@example(text="")
@example(text="&a {*a: *a}")
@example(text="? &a [*a]\n: *a")
@example(text="schema: &a {schema: *a}")
def test_any_text__is_refused(text):
    assert refuse_or_parse(text)


def aliases_of_aliases(depth):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "\n".join(lines)


LIMITS = "scenarios:\n  a:\n    accept:\n      GET /x: ["
HUGE = {
    "ten MB": "a: b\n" * 2_000_000,
    "alias bomb": aliases_of_aliases(30),
    "long text, many aliases": "a: &a " + "x" * 200_000 + "\nb: [" + "*a," * 9000 + "]",
    "deep lists": "[" * 262_144,
    "deep mappings": "{a: " * 60_000,
    "deep block": "- " * 131_072,
    "unknown keys": "".join(f"sceanrio{i}: 1\n" for i in range(9990)),
    "same key": "a: 1\n" * 9900,
    "scenarios that lack all": "scenarios:\n" + "".join(f"  s{i}: {{}}\n" for i in range(4000)),
    "list of mixed kinds": LIMITS + "404, a, " * 9000 + "]",
    "one long key": '"' + "sceanrios" * 20_000 + '" : 1',
    "one long number": "1" * 262_144,
    "quotes": "'" * 262_143,
    "blank lines": "\n" * 262_144,
    "simple keys": "{" + "x," * 120_000 + "}",
    "anchors": "".join(f"- &a{i} x\n" for i in range(15_000)),
    "nuls": "\0" * 200_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_huge_text__is_refused_soon(text):
    begin = time.process_time()
    assert refuse_or_parse(text)
    assert time.process_time() - begin < SECONDS_ENOUGH


def test_tag__constructs_nothing(tmp_path):
    trap = tmp_path / "trap"
    for tag in ("!!python/object/apply:os.system", "!!python/object/new:os.system", "!!python/module:os"):
        refuse_or_parse(f"schema: {tag} ['touch {trap}']\n")
    assert not trap.exists()
