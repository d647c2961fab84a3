from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.thresholds import quantities, schema_text
from ci_gate.thresholds.quantities import (
    parse_bytes,
    parse_duration_ms,
    parse_duration_s,
    parse_percentage,
    parse_rate_per_s,
    parse_share,
)

DEFINITIONS = json.loads(schema_text())["$defs"]
# Near the grammar on both sides of its border, so that both verdicts are common.
NUMBERS = st.one_of(
    st.from_regex(r"\A[0-9]{1,10}(\.[0-9]{1,7})?\Z"),
    st.sampled_from(
        ["0", "0.0", "00", "100", "100.0", "100.1", "99.9", "1e3", "-1", "+1", ".5", "1.", "٣", ""]
    ),
)
UNITS = st.sampled_from(
    [
        "ms",
        "s",
        "m",
        "h",
        "%",
        "/s",
        "B",
        "kB",
        "MB",
        "GB",
        "KiB",
        "MiB",
        "GiB",
        "",
        " s",
        "S",
        "s ",
        "s\n",
        "µs",
        "/m",
    ]
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration_ms, "200ms", 200.0),
        (parse_duration_ms, "0.3s", 300.0),
        (parse_duration_ms, "1.5m", 90_000.0),
        (parse_duration_ms, "999999999h", 3_599_999_996_400_000.0),
        (parse_duration_s, "250ms", 0.25),
        (parse_duration_s, "5m", 300.0),
        (parse_duration_s, "0.5h", 1800.0),
        (parse_duration_s, "0s", 0.0),
        (parse_share, "1%", 0.01),
        (parse_share, "99.9%", 0.999),
        (parse_share, "0.1%", 0.001),
        (parse_share, "100%", 1.0),
        (parse_percentage, "150%", 1.5),
        (parse_rate_per_s, "50/s", 50.0),
        (parse_rate_per_s, "0.5/s", 0.5),
        (parse_bytes, "512MiB", 536_870_912),
        (parse_bytes, "1.5KiB", 1536),
        (parse_bytes, "2GB", 2_000_000_000),
        (parse_bytes, "1.9B", 1),
    ],
)
def test_quantity__is_exact(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (parse_duration_ms, "200", "ms, s, m, h"),
        (parse_duration_s, "200 ms", "ms, s, m, h"),
        (parse_duration_s, "5%", "ms, s, m, h"),
        (parse_share, "1", "(%)"),
        (parse_share, "100.1%", "from 0% to 100%"),
        (parse_percentage, "-1%", "(%)"),
        (parse_rate_per_s, "50", "(/s)"),
        (parse_rate_per_s, "50/m", "(/s)"),
        (parse_bytes, "512", "B, kB, MB, GB, KiB, MiB, GiB"),
        (parse_bytes, "512mb", "B, kB, MB, GB, KiB, MiB, GiB"),
        (parse_bytes, "1" * 1000, "..."),
    ],
)
def test_quantity__refused_with_the_units_that_are_allowed(parse, text, words):
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        parse(text)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("definition", "units"),
    [
        ("duration", quantities.DURATION_UNITS_MS),
        ("duration_or_zero", quantities.DURATION_UNITS_MS),
        ("share", quantities.PERCENT_UNITS),
        ("percentage", quantities.PERCENT_UNITS),
        ("rate", quantities.RATE_UNITS_PER_S),
        ("byte_size", quantities.BYTE_UNITS),
    ],
)
def test_units__are_those_of_the_schema(definition, units):
    assert DEFINITIONS[definition]["x-units"] == list(units)


@pytest.mark.parametrize(
    ("definition", "parse", "is_zero_allowed"),
    [
        ("duration", parse_duration_ms, False),
        ("duration_or_zero", parse_duration_s, True),
        ("share", parse_share, True),
        ("percentage", parse_percentage, True),
        ("rate", parse_rate_per_s, False),
        ("byte_size", parse_bytes, False),
    ],
)
def test_pattern__agrees_with_the_parser(definition, parse, is_zero_allowed):
    # Python's $ also stands before a last line break; that of editors does not.
    pattern = re.compile(DEFINITIONS[definition]["pattern"].removesuffix("$"))

    @given(number=NUMBERS, unit=UNITS)
    def check(number, unit):
        text = number + unit
        try:
            # parse_bytes drops parts of a byte, so ask the digits whether it was zero.
            parse(text)
            is_parsed = is_zero_allowed or re.search("[1-9]", text) is not None
        except ValueError:
            is_parsed = False
        assert (pattern.fullmatch(text) is not None) is is_parsed

    check()
