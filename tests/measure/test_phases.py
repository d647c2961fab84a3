from __future__ import annotations

VISITOR = """
    from locust import FastHttpUser, constant, task

    class Visitor(FastHttpUser):
        wait_time = constant(0.05)

        @task
        def visit(self):
            self.client.get("/ok")

    class Other(FastHttpUser):
        wait_time = constant(0.05)

        @task
        def visit(self):
            self.client.get("/other")
"""


def test_phases__in_order_and_as_long_as_planned(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 20}, spawn_rate=10.0, warmup_s=0.5, duration_s=1.5)
    assert [mark.name for mark in recording.marks] == ["started", "spawned", "steady", "stopping", "ended"]
    started, spawned, steady, stopping, _ended = (mark.monotonic_s for mark in recording.marks)
    # None is cut short; how late each is says how busy this machine is.
    assert 0.5 < spawned - started < 20
    assert 0.5 <= steady - spawned < 5
    assert 1.5 <= stopping - steady < 5


def list_steady_users(recording):
    begin_s, end_s = recording.mark("steady").wall_s, recording.mark("stopping").wall_s
    return [reading.users for reading in recording.readings if begin_s < reading.wall_s < end_s]


def test_phases__only_the_named_classes_run_in_their_numbers(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 3}, duration_s=2.0)
    assert "GET /other" not in recording.strings
    assert {tuple(users.items()) for users in list_steady_users(recording)} == {(("Visitor", 3),)}


def test_phases__a_mix_of_classes_is_exact(run_locust):
    recording = run_locust(VISITOR, users={"Visitor": 5, "Other": 2}, duration_s=2.0)
    assert {tuple(sorted(users.items())) for users in list_steady_users(recording)} == {
        (("Other", 2), ("Visitor", 5))
    }


def test_phases__slow_starts_are_awaited(run_locust):
    slow = VISITOR.replace(
        "@task", "def on_start(self):\n            self.client.get('/sleep/1')\n\n        @task", 1
    )
    recording = run_locust(slow, users={"Visitor": 2})
    assert recording.mark("spawned").monotonic_s - recording.mark("started").monotonic_s > 1


def test_phases__users_that_die_in_on_start_are_counted(run_locust):
    broken = VISITOR.replace(
        "@task", "def on_start(self):\n            raise ValueError('login failed')\n\n        @task", 1
    )
    recording = run_locust(broken, users={"Visitor": 3}, spawn_rate=3.0)
    assert [mark.name for mark in recording.marks] == ["started", "no_users", "stopping", "ended"]
    (failure,) = recording.totals.start_failures
    assert (failure.subject, failure.error) == ("Visitor", "ValueError('login failed')")
    assert failure.count >= 3
    assert recording.totals.task_errors == ()


def test_phases__users_that_never_get_ready_do_not_hang_the_run(run_locust):
    stuck = VISITOR.replace(
        "@task", "def on_start(self):\n            self.client.get('/hang')\n\n        @task", 1
    )
    recording = run_locust(stuck, users={"Visitor": 2}, spawn_timeout_s=1.0, duration_s=0.5, drain_s=0.5)
    assert [mark.name for mark in recording.marks][:3] == ["started", "spawn_timeout", "steady"]


def test_phases__errors_of_tasks_and_listeners_are_counted(run_locust):
    recording = run_locust(
        """
        from locust import FastHttpUser, constant, events, task

        @events.request.add_listener
        def note(**_):
            raise RuntimeError("listener")

        class Visitor(FastHttpUser):
            wait_time = constant(0.1)

            @task
            def visit(self):
                self.client.get("/ok")
                raise KeyError("id")
        """,
        users={"Visitor": 1},
    )
    (error,) = recording.totals.task_errors
    assert (error.subject, error.error) == ("Visitor", "KeyError('id')")
    assert recording.totals.listener_errors == len(recording.samples)


def test_phases__a_load_shape_in_the_locustfile_does_not_take_over(run_locust):
    shaped = (
        VISITOR
        + """
    from locust import LoadTestShape

    class Shape(LoadTestShape):
        def tick(self):
            return (50, 50)
    """
    )
    recording = run_locust(shaped, users={"Visitor": 2}, duration_s=2.0)
    assert max(sum(reading.users.values()) for reading in recording.readings) == 2


def test_readings__once_a_second_with_cpu_lag_and_users(run_locust, tmp_path):
    clocks = tmp_path / "clocks"
    read = f'print(time.monotonic(), time.process_time(), file=open({str(clocks)!r}, "a"))'
    recording = run_locust(
        VISITOR.replace("from locust", "import time\n    from locust").replace(
            'self.client.get("/ok")', f"{read}; [x * x for x in range(2_000_000)]"
        ),
        users={"Visitor": 2},
        duration_s=3.0,
    )
    busy = recording.readings[1:]
    assert len(busy) >= 2
    (begin_s, begin_cpu_s), *_, (end_s, end_cpu_s) = (
        map(float, line.split()) for line in clocks.read_text().splitlines()
    )
    got_percent = 100 * (end_cpu_s - begin_cpu_s) / (end_s - begin_s)  # of a core that other tests use too
    assert max(reading.cpu_percent for reading in busy) > got_percent / 2
    assert max(reading.lag_ms for reading in busy) > 20
    assert all(0 < reading.mean_lag_ms < reading.lag_ms for reading in busy)
    assert all(reading.memory_bytes > 10_000_000 for reading in busy)
