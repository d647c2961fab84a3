"""Which code takes longer: functions of services whose costs are known."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.evidence.recording import CODE_BASE, CODE_HEAD
from ci_gate.evidence.stacks import (
    STACKS_CPU,
    STACKS_WALL,
    Frame,
    Stacks,
    decode_stacks,
    read_stacks,
    tidy_stacks,
)
from ci_gate.judge.code.attribution import Function, count_samples
from ci_gate.judge.code.difference import compare_code
from ci_gate.judge.code.flame import draw_flames
from ci_gate.judge.code.on_cpu import keep_on_cpu
from tests.judge.code_simulation import IDLE, LIBRARY, SERVER, Code, compare, make_side

SHOP = (
    Code(name="load", cpu_ms=1.5, waiting_ms=6.0),
    Code(name="score", cpu_ms=1.0),
    Code(name="render", cpu_ms=2.0, in_library=0.8, file="views.py"),
    Code(name="sign", cpu_ms=0.5, file="views.py"),
    Code(name="handle", cpu_ms=1.0, file="service.py"),
)


def change(name, **changes):
    return tuple(replace(code, **changes) if code.name == name else code for code in SHOP)


def names(code):
    return [function.name for function in code.functions]


def test_functions__of_equal_code_are_not_named():
    assert not names(compare(SHOP, SHOP))


def test_cpu__that_a_function_takes_more_is_named_with_file_and_line_and_both_figures():
    code = compare(SHOP, change("score", cpu_ms=4.0, line=31))
    (function,) = code.functions
    assert (function.name, function.file, function.line, function.waits) == ("score", "shop.py", 31, False)
    assert function.own.cpu.base_ms == pytest.approx(1.0, abs=0.4)
    assert function.own.cpu.head_ms == pytest.approx(4.0, abs=0.6)
    assert code.cpu.more_ms == pytest.approx(3.0, abs=0.01)


def test_waiting__of_a_function_is_named_though_it_takes_no_cpu():
    (function,) = compare(SHOP, change("sign", waiting_ms=12.0)).functions
    assert (function.name, function.waits) == ("sign", True)
    assert function.own.waiting.more_ms == pytest.approx(12.0, abs=3.0)
    assert abs(function.own.cpu.more_ms) < 0.5


def test_library__counts_for_the_function_that_calls_it():
    (function,) = compare(SHOP, change("render", cpu_ms=6.0)).functions
    assert (function.name, function.below) == ("render", "dumps (fast/json.py)")


def test_rename__moves_cost_and_its_file_does_not_grow():
    head = tuple(replace(code, name="score_all") if code.name == "score" else code for code in SHOP)
    head = tuple(replace(code, cpu_ms=5.0) if code.name == "sign" else code for code in head)
    code = compare(SHOP, head)
    assert names(code) == ["sign", "score_all"]
    moved = code.functions[1]
    assert moved.own.cpu.base_ms == 0
    assert not moved.in_file.cpu.is_real


def test_subtree__has_what_a_new_function_below_takes():
    extra = Code(name="score_more", cpu_ms=4.0, called_by="score", file="more.py")
    code = compare(SHOP, (*SHOP, extra))
    assert names(code) == ["score_more"]
    assert code.functions[0].in_file.cpu.head_ms == pytest.approx(4.0, abs=0.8)


def test_thread__that_always_waits_is_no_waiting_of_requests():
    """Fewer successes a second would make each of them wait longer for nothing."""
    frames = (Frame(name="poll", file="jobs.py", line=3),)
    always = Stacks(frames=frames, threads=(((0,),) * 500,), period_s=0.02)
    sides = {name: make_side(SHOP, seed=seed) for seed, name in enumerate((CODE_BASE, CODE_HEAD))}
    for side in sides.values():
        side.recording.stacks["stacks-wall.json"] = always
    assert not names(compare_code(sides, None))


def test_hundred_services__have_the_slower_function_in_the_top_three():
    named, first, runs = 0, 0, 100
    for seed in range(runs):
        rng = random.Random(seed)
        base = make_service(rng)
        slower = rng.choice(base)
        kind = rng.choice(("cpu_ms", "waiting_ms"))
        more = rng.uniform(1.5, 6.0) if kind == "cpu_ms" else rng.uniform(5.0, 25.0)
        head = tuple(
            replace(code, **{kind: getattr(code, kind) + more}) if code is slower else code for code in base
        )
        found = names(compare(base, head, seed=seed))
        named += slower.name in found[:3]
        first += found[:1] == [slower.name]
    assert (named, first) >= (0.97 * runs, 0.95 * runs)


def test_hundred_pairs_of_equal_services__hardly_ever_have_one_named():
    named = [
        seed
        for seed in range(100)
        if names(compare(base := make_service(random.Random(seed)), base, seed=seed))
    ]
    assert len(named) <= 5


def test_function__to_which_chance_gave_samples_is_not_named():
    """Of a function that was the same, in a real run: dozens are looked at, and each has few samples."""
    base, head = with_samples(make_side(SHOP), 1, 404), with_samples(make_side(SHOP, seed=7), 17, 296)
    assert not names(compare_code({CODE_BASE: base, CODE_HEAD: head}, None))


def with_samples(side, count, total):
    """``count`` of all samples on a CPU, evenly spread, are of one function."""
    frames = tuple(
        Frame(name=name, file="shop.py", line=line) for line, name in enumerate(("work", "connect"))
    )
    thread = tuple(((number * count % total < count) * 1,) for number in range(total))
    side.recording.stacks[STACKS_CPU] = Stacks(frames=frames, threads=(thread,), period_s=0.01)
    return side


def make_service(rng):
    """Twenty functions in five files, some of which call others, wait, or use a library."""
    codes = []
    for number in range(20):
        caller = rng.choice([None, *(code.name for code in codes)])
        codes.append(
            Code(
                name=f"function_{number}",
                file=f"part_{number % 5}.py",
                line=10 * number + 1,
                cpu_ms=rng.choice((0.02, 0.1, 0.3, 1.0)),
                waiting_ms=rng.choice((0.0, 0.0, 0.5, 3.0)),
                in_library=rng.choice((0.0, 0.5, 1.0)),
                called_by=caller,
            )
        )
    return tuple(codes)


def test_reason__why_nothing_was_sampled_is_told():
    assert compare_code({}, "py-spy is not installed").why_not == "py-spy is not installed"
    assert compare_code({}, None) is None
    side = make_side(SHOP)
    side.recording.stacks.clear()
    assert compare_code({CODE_BASE: side, CODE_HEAD: side}, None).why_not == "no stacks were sampled"


def test_entry__that_starts_a_server_does_not_take_what_the_server_does():
    frames = (
        Frame(name="main", file="service.py", line=9),
        Frame(name="run", file="/venv/lib/python3.12/site-packages/uvicorn/server.py", line=60),
        Frame(name="answer", file="shop.py", line=4),
    )
    samples = count_samples(Stacks(frames=frames, threads=(((0, 1),) * 30 + ((0, 1, 2),) * 10,), period_s=1))
    own = {each.name: count for each, count in zip(samples.functions, samples.own.sum(axis=0), strict=True)}
    assert own == {"main": 0, "run": 30, "answer": 10}


def test_lambda__counts_for_the_function_that_it_is_written_in():
    frames = (
        Frame(name="rank", file="shop.py", line=4),
        Frame(name="rank.<locals>.<lambda>", file="shop.py", line=5),
    )
    samples = count_samples(Stacks(frames=frames, threads=(((0, 1),) * 8,), period_s=1))
    assert [each.name for each in samples.functions] == ["rank"]
    assert list(samples.lines.values()) == [5]


DOCUMENT = {
    "profiles": [{"samples": [[1, 0], [1]], "weights": [0.01, 0.01]}],
    "shared": {
        "frames": [
            {"name": "score\u202e\n", "file": "/home/me/shop/shop.py", "line": 3},
            {"name": 'process 7:"python -m shop --token hunter2"', "file": "", "line": None},
        ]
    },
}


def test_file__that_py_spy_wrote_is_kept_without_command_lines_and_the_folder():
    text = tidy_stacks(msgspec.json.encode(DOCUMENT), "/home/me/shop")
    assert b"hunter2" not in text
    stacks = decode_stacks(text)
    assert [frame.name for frame in stacks.frames] == ["score\ufffd\ufffd", "process 7"]
    assert stacks.frames[0].file == "shop.py"
    assert (stacks.threads, stacks.period_s) == ((((1, 0), (1,)),), 0.01)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"profiles": [{"samples": [[7]]}], "shared": {"frames": []}}',
        b'{"profiles": [{"samples": [[-1]]}], "shared": {"frames": []}}',
        b'{"profiles": [], "shared": {"frames": [{"name": "a", "line": 1e99}]}}',
    ],
)
def test_file__of_an_adversary_is_refused(tmp_path, text):
    (tmp_path / STACKS_CPU).write_bytes(text)
    with pytest.raises(EvidenceError):
        read_stacks(tmp_path)


@pytest.mark.parametrize("line", [-7, 10**7 + 1, 2**63, 10**30])
def test_line__that_py_spy_read_half_written_is_not_known(line):
    """The profile was lost for one such frame of thousands."""
    text = b'{"profiles": [], "shared": {"frames": [{"name": "a", "file": "shop.py", "line": %d}]}}' % line
    assert decode_stacks(text).frames == (Frame(name="a", file="shop.py", line=0),)


def test_stack__of_any_depth_is_cut():
    text = b'{"profiles": [{"samples": [[%s]]}], "shared": {"frames": [{"name": "a"}]}}'
    stacks = decode_stacks(text % b",".join([b"0"] * 5000))
    assert len(stacks.threads[0][0]) == 200


def test_flame__has_a_block_for_each_call_with_both_sides():
    base, head = make_side(SHOP), make_side(change("score", cpu_ms=4.0), seed=7)
    on_cpu, wall = draw_flames({CODE_BASE: base, CODE_HEAD: head})
    assert (on_cpu.is_wall, wall.is_wall) == (False, True)
    of = {block.name: block for block in on_cpu.blocks}
    assert of["<module>"].width == 1.0
    assert of["score"].head_ms - of["score"].base_ms == pytest.approx(3.0, abs=0.6)
    assert of["score"].depth == of["handle"].depth + 1
    assert of["dumps"].depth == of["render"].depth + 1
    assert of["dumps"].left == pytest.approx(of["render"].left)
    assert "select" not in {block.name for block in wall.blocks}
    assert {block.name: block.width for block in wall.blocks if block.depth == 0}["handle"] == 1.0


def test_flame__of_head_alone_has_no_base():
    on_cpu, wall = draw_flames({CODE_HEAD: make_side(SHOP)})
    assert on_cpu.base_ms is wall.base_ms is None
    assert {block.base_ms for flame in (on_cpu, wall) for block in flame.blocks} == {None}
    assert {block.name: block.head_ms for block in on_cpu.blocks}["render"] == pytest.approx(2.0, abs=0.6)


def test_flame__of_sides_of_which_one_was_not_sampled_is_none():
    side, other = make_side(SHOP), make_side(SHOP)
    other.recording.stacks.clear()
    assert draw_flames({CODE_BASE: other, CODE_HEAD: side}) == ()
    assert draw_flames({CODE_BASE: side}) == ()


def test_head_alone__has_the_functions_that_cost_most_by_cpu_and_waiting():
    code = compare_code({CODE_HEAD: make_side(SHOP)}, None)
    assert (code.functions, code.cpu) == ((), None)
    load, render, *others = code.alone.functions
    assert (load.name, load.file, load.line, render.name) == ("load", "shop.py", 10, "render")
    assert load.cpu.ms == pytest.approx(1.5, abs=0.4)
    assert load.waiting.ms == pytest.approx(6.0, abs=1.5)
    assert render.below == "dumps (fast/json.py)"
    assert {each.name for each in others} >= {"score", "handle"}
    assert len(code.alone.functions) <= 5
    assert code.alone.cpu.ms == pytest.approx(6.0, abs=0.1)


def test_head_alone__does_not_name_a_thread_that_waits_for_work():
    frames = (Frame(name="poll", file="jobs.py", line=3),)
    side = make_side(SHOP)
    always = Stacks(frames=frames, threads=(((0,),) * 500,), period_s=0.02)
    side.recording.stacks["stacks-wall.json"] = always
    assert "poll" not in [each.name for each in compare_code({CODE_HEAD: side}, None).alone.functions]


def test_head_alone__does_not_name_what_a_service_was_started_by_though_some_stacks_are_torn():
    """A generator has no caller while it is entered: one stack in thirty begins elsewhere."""
    start, rows = (Frame(name=name, file="app.py", line=3) for name in ("<module>", "rows"))
    side = make_side(SHOP)
    stacks = ((0, 1),) * 450 + ((0, 2),) * 35 + ((2,),) * 15
    side.recording.stacks["stacks-wall.json"] = Stacks(
        frames=(start, IDLE, rows), threads=(stacks,), period_s=0.02
    )
    assert "<module>" not in [each.name for each in compare_code({CODE_HEAD: side}, None).alone.functions]


@pytest.mark.parametrize("share", [0.48, 0.52, 0.6])
def test_thread__that_does_two_things_was_started_by_neither(share):
    """A library below one of them is no cost of its own, however much that one is at work."""
    job, view = (Frame(name=name, file="shop.py", line=3) for name in ("price_job", "view"))
    frames = (job, LIBRARY, SERVER, view)
    count = round(800 * share)
    stacks = ((0, 1),) * count + ((2, 3),) * (800 - count)
    samples = count_samples(Stacks(frames=frames, threads=(stacks,), period_s=0.01))
    own = dict(zip([each.name for each in samples.functions], samples.own.sum(axis=0), strict=True))
    assert own == {"price_job": count, "view": 800 - count, "dumps": 0, "serve": 0}
    assert not samples.always


def test_head_alone__says_why_it_is_not_known():
    side = make_side(SHOP)
    side.recording.stacks.clear()
    assert compare_code({CODE_HEAD: side}, None).why_not == "no stacks were sampled"


RECEIVE = Frame(name="readinto", file="/usr/lib/python3.12/socket.py", line=706)


def with_false_samples(side, count):
    """As many samples as on a CPU of threads that have just begun to wait for the next request."""
    on_cpu, wall = (side.recording.stacks[name] for name in (STACKS_CPU, STACKS_WALL))
    frames = (*on_cpu.frames, RECEIVE)
    at = (len(frames) - 1,)
    threads = (*on_cpu.threads, (at,) * count)
    side.recording.stacks[STACKS_CPU] = replace(on_cpu, frames=frames, threads=threads)
    ticks = max(map(len, wall.threads))
    side.recording.stacks[STACKS_WALL] = replace(
        wall,
        frames=(*wall.frames, RECEIVE),
        threads=(*wall.threads, *((((len(wall.frames),),) * ticks,) * 8)),
    )
    return side


def test_samples__beyond_the_cpu_time_are_of_threads_that_wait():
    """They hid a function that takes more than twice as long, and one that only waits seemed to take more."""
    base = with_false_samples(make_side(SHOP), 100)
    head = with_false_samples(make_side(change("score", cpu_ms=2.5), seed=7), 500)
    code = compare_code({CODE_BASE: base, CODE_HEAD: head}, None)
    assert names(code) == ["score"]
    assert code.functions[0].own.cpu.more_ms == pytest.approx(1.5, abs=0.5)
    on_cpu, _ = draw_flames({CODE_BASE: base, CODE_HEAD: head})
    assert "readinto" not in {block.name for block in on_cpu.blocks}


def test_function__that_waits_for_a_core_computes():
    """On a busy machine a thread that can run counts as on a CPU, and is in its line three times as long."""
    base, head = make_side(SHOP), make_side(change("score", cpu_ms=4.0, waiting_ms=9.0), seed=7)
    for side in (base, head):
        on_cpu = side.recording.stacks[STACKS_CPU]
        side.recording.stacks[STACKS_CPU] = replace(on_cpu, threads=on_cpu.threads * 3)
    code = compare_code({CODE_BASE: base, CODE_HEAD: head}, None)
    (score,) = (each for each in code.functions if each.name == "score")
    assert not score.own.waiting.is_real
    assert not score.waits


def test_head_alone__that_waits_for_a_core_does_not_wait_for_anything_else():
    """Its total was the time on a CPU and the wait for one: a busy machine seemed to be a slow dependency."""
    side = make_side(change("score", cpu_ms=4.0, waiting_ms=8.0), seed=7)
    on_cpu = side.recording.stacks[STACKS_CPU]
    frames, stacks = on_cpu.frames, on_cpu.threads[0]
    score = [stack for stack in stacks if frames[stack[-1]].name == "score"]
    side.recording.stacks[STACKS_CPU] = replace(on_cpu, threads=(stacks, score, score))
    found = {each.name: each for each in compare_code({CODE_HEAD: side}, None).alone.functions}["score"]
    assert found.waiting.ms < max(3 * found.waiting.error_ms, 0.25 * found.cpu.ms)


def test_samples__of_a_line_that_really_computes_are_kept():
    side = make_side(SHOP)
    stacks = side.recording.stacks
    assert keep_on_cpu([(stacks, 0.36)]) == [stacks[STACKS_CPU]]
    assert keep_on_cpu([(stacks, 0.001)])[0].threads[0]


def test_samples__of_a_line_that_waits_are_taken_off_both_sides():
    """Of one side they are beyond its CPU time, of the other they could be chance: left there, they grew."""
    frames = tuple(Frame(name=name, file="shop.py", line=line) for line, name in enumerate(("work", "serve")))
    on_cpu = Stacks(frames=frames, threads=(((0,),) * 60 + ((1,),) * 40,), period_s=0.01)
    wall = Stacks(frames=frames, threads=(((0,),) * 60 + ((1,),) * 940,), period_s=0.01)
    stacks = {STACKS_CPU: on_cpu, STACKS_WALL: wall}
    kept = [side.threads for side in keep_on_cpu([(stacks, 0.05), (stacks, 0.09)])]
    assert kept == [(((0,),) * 60,)] * 2
    assert keep_on_cpu([(stacks, 0.09)] * 2) == [on_cpu] * 2


def test_flame__of_more_stacks_than_anybody_writes_is_bounded():
    frames = tuple(Frame(name=f"f{number}", file="shop.py", line=1) for number in range(400))
    rng = random.Random(1)
    thread = tuple(tuple(rng.sample(range(400), 60)) for _ in range(8000))
    side = make_side(SHOP)
    for name in tuple(side.recording.stacks):
        side.recording.stacks[name] = Stacks(frames=frames, threads=(thread,), period_s=0.01)
    flames = draw_flames({CODE_BASE: side, CODE_HEAD: side})
    assert all(len(flame.blocks) <= 1500 for flame in flames)


def test_flame__counts_no_sample_that_the_verdict_has_counted(monkeypatch):
    base, head = make_side(SHOP), make_side(SHOP, seed=7)
    monkeypatch.setattr("ci_gate.judge.code.costs.count_samples", None)
    assert len(draw_flames({CODE_BASE: base, CODE_HEAD: head})) == 2


def test_gaps__of_a_service_without_waiting_or_without_own_functions_are_told():
    side = make_side(SHOP)
    assert compare_code({CODE_HEAD: side}, None).notes == ()
    wall = side.recording.stacks.pop(STACKS_WALL)
    (note,) = compare_code({CODE_HEAD: side}, None).notes
    assert "waiting is not known" in note
    library = tuple(
        replace(frame, file=f"/usr/lib/lib{number}.so.6") for number, frame in enumerate(wall.frames)
    )
    side.recording.stacks[STACKS_CPU] = replace(side.recording.stacks[STACKS_CPU], frames=library)
    _, note = compare_code({CODE_HEAD: side}, None).notes
    assert "no function of the service's own code was seen" in note


def test_gaps__of_an_event_loop_are_told():
    side = make_side(SHOP)
    on_cpu = side.recording.stacks[STACKS_CPU]
    loop = Frame(name="run_forever", file="/usr/lib/python3.12/asyncio/base_events.py", line=640)
    side.recording.stacks[STACKS_CPU] = replace(
        on_cpu, frames=(*on_cpu.frames, loop), threads=(*on_cpu.threads, ((len(on_cpu.frames),),))
    )
    (note,) = compare_code({CODE_BASE: make_side(SHOP), CODE_HEAD: side}, None).notes
    assert note.startswith("the service runs an event loop (asyncio)")


@pytest.mark.parametrize(
    ("file", "is_library"),
    [
        ("shop/risk.py", False),
        ("/app/shop", False),
        ("src/risk.js", False),
        ("/app/node_modules/express/router.js", True),
        ("node:internal/timers", True),
        ("/usr/bin/node", True),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("[kernel.kallsyms]", True),
        ("<frozen runpy>", True),
    ],
)
def test_library__is_what_the_service_did_not_write(file, is_library):
    assert Function(file=file, name="f").is_library == is_library
