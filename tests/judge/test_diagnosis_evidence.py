"""A cause says what is in the evidence, and comes first only where it explains what happened."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.evidence.readings import KILLED_FOR_MEMORY, ProbeReading
from ci_gate.service.process import describe_status
from tests.judge.bottleneck_notation import (
    FULL_POOL,
    IDLE_DATABASE,
    SECONDS,
    codes,
    diagnose_head,
    make_evidence,
    make_machine,
)
from tests.judge.recordings import make_rows

SIGKILL = describe_status(-9)
EVICTING = {"evicted_keys": 3}


def make_ending(end, mib, **evidence):
    """A service that held so many MiB, a reading each second, and then ended."""
    ended = len(mib)
    machine = tuple(
        msgspec.structs.replace(
            each,
            service_alive=number < ended,
            service_end="" if number < ended else end,
            service_memory_bytes=mib[number] * 2**20 if number < ended else 0,
        )
        for number, each in enumerate(make_machine(10.0, None, 20.0))
    )
    return make_evidence(machine=machine, **evidence)


@pytest.mark.parametrize(
    ("mib", "found"),
    [
        ((40, 260, 300, 300, 300, 300), ["service-ended"]),  # it rose in the ramp alone
        ((40, 200, 400, 400), ["service-ended"]),
        ((40, 300, 490, 300, 300), ["service-ended", "memory"]),  # much was held, long before
        ((300,), ["service-ended"]),
        ((500,), ["memory", "service-ended"]),
        ((300, 500, 500), ["memory", "service-ended"]),
        ((300, 370, 440), ["memory", "service-ended"]),
    ],
)
def test_kill__is_for_want_of_memory_by_the_last_readings(mib, found):
    diagnosis = diagnose_head(make_ending(SIGKILL, mib), memory_bytes=512 * 2**20)
    assert codes(diagnosis) == found


@pytest.mark.parametrize(
    ("end", "title"),
    [(f"{KILLED_FOR_MEMORY} of 512 MiB", "memory ran out"), (SIGKILL, "was killed near its memory limit")],
)
def test_kill_for_want_of_memory__says_what_was_read(end, title):
    recording = make_ending(end, (495, 480, 488, 496))
    cause = diagnose_head(recording, memory_bytes=512 * 2**20).causes[0]
    assert title in cause.title
    assert cause.numbers == (
        f"the service was {end}",
        "it used 480 MiB, 488 MiB, 496 MiB of 512 MiB by its last 3 readings",
    )


def test_kill_for_want_of_memory__that_was_never_read_says_no_more():
    recording = make_ending(KILLED_FOR_MEMORY, ())
    assert diagnose_head(recording).causes[0].numbers == (f"the service was {KILLED_FOR_MEMORY}",)


@pytest.mark.parametrize(
    ("end", "mib", "found"),
    [
        (SIGKILL, (35, 36, 37), ["service-ended", "memory"]),
        ("exit status 3", (35, 36, 37), ["service-ended", "memory"]),
        (SIGKILL, (35, 46, 54), ["memory", "service-ended", "memory"]),
    ],
)
def test_evictions_of_redis__explain_no_end_of_the_service(end, mib, found):
    diagnosis = diagnose_head(make_ending(end, mib, redis=EVICTING), memory_bytes=64 * 2**20)
    assert codes(diagnosis) == found
    assert diagnosis.causes[-1].title.startswith("Redis")
    assert "Redis" not in " ".join(diagnosis.causes[0].numbers)


def test_memory_that_is_nearly_full__comes_after_what_holds_the_requests():
    """It is no part of their time; but where that is in nothing that was observed, it may be why."""
    recording = make_evidence(pool=FULL_POOL, redis=EVICTING)
    assert codes(diagnose_head(recording, memory_bytes=101_000_000)) == [
        "connection-pool",
        "memory",
        "memory",
    ]
    recording = make_evidence(pool=None, redis=EVICTING)
    assert codes(diagnose_head(recording, memory_bytes=101_000_000)) == ["memory", "memory", "unknown"]


@pytest.mark.parametrize(("end", "is_killed"), [(SIGKILL, True), ("", True), ("exit status 3", False)])
def test_next_step_of_an_end__looks_for_a_killer_where_there_may_have_been_one(end, is_killed):
    cause = diagnose_head(make_ending(end, (35, 36, 37))).causes[0]
    assert cause.code == "service-ended"
    assert ("out-of-memory killer" in cause.next_step) == is_killed


@pytest.mark.parametrize(("status", "is_named"), [(500, True), (404, False)])
def test_full_server__explains_only_failures_that_may_be_for_want_of_a_connection(status, is_named):
    full = IDLE_DATABASE | {"connections_total": 99.0, "max_connections": 100.0}
    recording = make_evidence(rows=make_rows(2, [20.0] * 1000, status=status), database=full)
    found = codes(diagnose_head(recording, is_slow=False))
    assert ("database-connections" in found) == is_named
    assert "failing-replies" in found


@pytest.mark.parametrize(
    ("errors", "numbers"),
    [
        (["timeout"] * 4 + ["sorry, too many clients already"], ["the probe was refused 1 x: sorry"]),
        (["sorry, too many clients already"] * 4 + ["timeout"], ["the probe was refused 4 x: sorry"]),
        (["timeout"] * 5, []),
    ],
)
def test_refusals_of_the_probe__are_those_that_were_for_want_of_a_connection(errors, numbers):
    recording = make_evidence(database=None)
    failed = tuple(
        ProbeReading(wall_s=at, probe="postgres", took_ms=1.0, values={}, error=error)
        for at, error in zip(SECONDS, errors, strict=False)
    )
    diagnosis = diagnose_head(msgspec.structs.replace(recording, probes=(*recording.probes, *failed)))
    causes = [each for each in diagnosis.causes if each.code == "database-connections"]
    assert [each.numbers[0].partition(",")[0] for each in causes] == numbers


def test_what_is_outside__does_not_say_that_what_is_inside_had_little_to_do():
    """The service uses 2.5 cores and four connections, and most requests wait for something else."""
    recording = make_evidence(
        pool={**FULL_POOL, "pool_in_use": 4, "pool_waiting": 0}, in_flight=20, cpu=250.0
    )
    causes = {each.code: each for each in diagnose_head(recording).causes}
    assert "slow-dependency" in causes
    assert "little" not in causes["slow-dependency"].title


def test_cpu_that_others_took__is_named_by_how_long_the_service_waited():
    """It waited longer than it ran; that others had most of the machine is another fact, with numbers."""
    (cause,) = diagnose_head(make_evidence(cpu=30.0, waited=0.8)).causes
    assert cause.code == "host-cpu"
    assert "most of" not in cause.title


def test_refused_requests__are_not_explained_by_their_status():
    recording = make_evidence(rows=make_rows(2, [20.0] * 1000, status=403))
    (cause,) = diagnose_head(recording, is_slow=False).causes
    assert cause.title == "requests are refused (401, 403)"


def test_scenario_that_was_not_measured__has_no_reason_in_its_title():
    failure = "sign_in.py of the second start ended with status 1"
    (alone,) = diagnose_head(None, failure=failure, is_slow=False).causes
    (with_recording,) = diagnose_head(make_evidence(), failure=failure, is_slow=False).causes
    assert alone.title == "nothing was measured"
    assert with_recording.code == "not-finished"
    assert with_recording.title == "the scenario was not measured to its end"
    assert "service.log" not in with_recording.next_step
