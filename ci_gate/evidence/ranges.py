"""Ranges of the numbers in files that are read back: one outside them is refused, and never computed with.

They are far beyond what can be measured, and near enough that sums, products and differences of a few of them
stay numbers. A whole number up to 2**53 is the same in every program that reads JSON.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

MAX_NUMBER: Final = 2**53
MAX_TIME_S: Final = 1e12  # in the year 33658
MAX_SPAN_S: Final = 1e9
MAX_RECORDING_S: Final = 7 * 24 * 3600
"""What is recorded later is not looked at: a clock that jumps shall not make arrays without end."""
MAX_SPAN_MS: Final = MAX_SPAN_S * 1000

Version = Annotated[int, Meta(ge=0, le=1000)]
"""Of a file's schema."""
Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
"""Of anything; also bytes."""
Moment = Annotated[float, Meta(ge=0, le=MAX_TIME_S)]
"""In seconds: Unix time, or of a clock that never goes back."""
Span = Annotated[float, Meta(ge=0, le=MAX_SPAN_S)]
Milliseconds = Annotated[float, Meta(ge=0, le=MAX_SPAN_MS)]
Percent = Annotated[float, Meta(ge=0, le=1e9)]
Rate = Annotated[float, Meta(ge=0, le=1e18)]
"""Per second."""
Share = Annotated[float, Meta(ge=0, le=1)]
Quantity = Annotated[float, Meta(ge=0, le=MAX_NUMBER)]
Value = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
"""Of whatever a program says of itself."""
Drawn = Annotated[float, Meta(ge=-1e20, le=1e20)]
"""Of a chart: also how fast a Value grows."""
