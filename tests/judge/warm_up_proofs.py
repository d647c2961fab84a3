"""Evidence that breaks the rule about the warm-up, and evidence near it that does not."""

from tests.judge.proof import Proof

# Slow for 12 of 40 s, as long as the service works harder; `evenly` is as slow from start to end.
_HEAD = "10 ShopUser\nsteady 40 s\nlimit all p50 100ms\n"
_SLOW_FIRST = "360 GET /items 200 40-60ms within 0-12\n840 GET /items 200 20-30ms within 12-40\n"
_DEARER = "reading 0-12 s service 90\nreading 13-40 s service 45"
_SLOWER_AND_SLOWER = "\n".join(
    f"{30 * 8} GET /items 200 {80 - 15 * number}-{90 - 15 * number}ms within {number * 8}-{number * 8 + 8}"
    for number in range(5)
)
_DEARER_AND_DEARER = "\n".join(
    f"reading {number * 8}-{number * 8 + 8} s service {90 - 15 * number}" for number in range(5)
)

WARM_UP_PROOFS = (
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}",
        "service the p50 of the first half was 37.9 ms, of the second 25 ms (51 % slower), and each success "
        "took 63 % more CPU of the service; it was steady after 14 s: warmup: 15s would do",
        f"{_HEAD}{_SLOW_FIRST}",  # other programs: no more CPU per success
    ),
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOWER_AND_SLOWER}\n{_DEARER_AND_DEARER}",
        "it was not steady before the end: warmup: 40s or more",
        f"{_HEAD}1200 GET /items 200 40-60ms\n{_DEARER}",  # as fast as later
    ),
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}",
        "would do",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}".replace("p50 100ms", "p50 1s"),  # little beside the limit
    ),
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}",
        "would do",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}".replace("p50 100ms", "rate 1/s"),  # no limit on latency
    ),
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}",
        "would do",
        # Slower in the second half: a leak, or an index that is missing, is no warm-up.
        f"{_HEAD}840 GET /items 200 20-30ms within 0-28\n360 GET /items 200 40-60ms within 28-40\n{_DEARER}",
    ),
    Proof(
        "still-warming",
        f"{_HEAD}{_SLOW_FIRST}{_DEARER}",
        "would do",
        # Up, down, and up again.
        f"{_HEAD}180 GET /items 200 20-30ms within 0-6\n420 GET /items 200 60-90ms within 6-20\n"
        f"600 GET /items 200 20-30ms within 20-40\n{_DEARER}",
    ),
    Proof(
        "still-warming",
        # Five times as slow at first: that the second quarter is a tenth slower than the first is noise.
        f"{_HEAD}200 GET /items 200 50ms within 0-10\n200 GET /items 200 56ms within 10-20\n"
        f"800 GET /items 200 10ms within 20-40\nreading 0-20 s service 90\nreading 21-40 s service 30",
        "warmup: 25s would do",
        f"{_HEAD}200 GET /items 200 12ms within 0-10\n200 GET /items 200 14ms within 10-20\n"
        f"800 GET /items 200 10ms within 20-40\nreading 0-20 s service 90\nreading 21-40 s service 30",
    ),
)
