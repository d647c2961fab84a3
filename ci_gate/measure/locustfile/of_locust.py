"""What of Locust a run uses, what it does not, and why: the one list that docs/locustfiles.md shows.

Runs in Locust's process, and imports nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of Locust.

    ``options`` are the names that Locust's parser gives the values of its own options. ``use``: ``yes``, it
    is used as it is; ``key``, by the ``key`` of thresholds.yaml, or that says the same; ``no``, nothing uses
    it. What ``decides`` changes which requests are sent.
    """

    what: str
    use: Literal["yes", "key", "no"]
    why: str
    key: str = ""
    options: tuple[str, ...] = ()
    decides: bool = False


TAGS: Final = Part(
    what="--tags, --exclude-tags",
    use="key",
    key="tags, exclude_tags",
    why="which tasks run is reviewed with the limits",
    options=("tags", "exclude_tags"),
    decides=True,
)
OWN_OPTIONS: Final = Part(
    what="options that the locustfile adds (init_command_line_parser)",
    use="key",
    key="args",
    why="used with their defaults and their own variables (env_var); values in locust.conf are not read",
    decides=True,
)
SHAPE: Final = Part(
    what="LoadTestShape",
    use="key",
    key="shape",
    why="in place of users and spawn_rate, where a scenario names it",
    decides=True,
)
WEIGHT: Final = Part(
    what="weight and fixed_count of user classes",
    use="key",
    key="users",
    why="it says how many of each class run; under a shape, weight and fixed_count do",
)
CLASS_HOST: Final = Part(
    what="host of user classes",
    use="key",
    key="service; host",
    why="HTTP users call the service under test; users that are no HTTP users keep a host that is no URL, "
    "or have that of host",
)
OWN_VARIABLES: Final = Part(
    what="environment variables",
    use="yes",
    key="env",
    why="all but those of Locust's own options reach the locustfile; env adds some",
)

PARTS: Final = (
    Part(
        what="user classes, tasks and their weights, task sets, wait_time, on_start, on_stop",
        use="yes",
        why="the classes that users names run as they are",
    ),
    Part(
        what="events, listeners, @events.test_start, environment, runner",
        use="yes",
        why="the recorder is one listener more",
    ),
    Part(
        what="request events of the locustfile's own clients",
        use="yes",
        why="judged as HTTP is; without an HTTP status, a request fails by its exception alone",
    ),
    Part(
        what="environment.process_exit_code, runner.quit()",
        use="yes",
        why="what the locustfile says of the run counts (locustfile-failed)",
    ),
    OWN_VARIABLES,
    OWN_OPTIONS,
    TAGS,
    Part(
        what="--locustfile",
        use="key",
        key="locustfile",
        why="a file, a folder, or a list of them",
        options=("locustfile",),
    ),
    Part(
        what="--host",
        use="key",
        key="service; host",
        why="the service under test",
        options=("host",),
    ),
    CLASS_HOST,
    Part(
        what="--users, the names of user classes",
        use="key",
        key="users",
        why="it says how many of each class run",
        options=("num_users", "user_classes"),
    ),
    WEIGHT,
    Part(
        what="--spawn-rate",
        use="key",
        key="spawn_rate",
        why="the same",
        options=("spawn_rate",),
    ),
    Part(
        what="--run-time",
        use="key",
        key="profiles",
        why="a profile says how long",
        options=("run_time",),
    ),
    SHAPE,
    Part(
        what="--equal-weights",
        use="no",
        why="would have run all tasks of a class equally often: weights of tasks are the locustfile's",
        options=("equal_weights",),
        decides=True,
    ),
    Part(
        what="--config-users",
        use="no",
        why="would have changed attributes and tasks of user classes: those are the locustfile's",
        options=("config_users",),
        decides=True,
    ),
    Part(
        what="--config",
        use="no",
        why="a run is what thresholds.yaml says",
        options=("config",),
    ),
    Part(
        what="--headless, --only-summary",
        use="yes",
        why="always so",
        options=("headless", "only_summary"),
    ),
    Part(
        what="--stop-timeout",
        use="no",
        why="requests on their way at the end are awaited for 30 s",
        options=("stop_timeout",),
    ),
    Part(
        what="--reset-stats, --exit-code-on-error",
        use="no",
        why="Locust's statistics are not judged: the recorder keeps every request",
        options=("reset_stats", "exit_code_on_error"),
    ),
    Part(
        what="--csv, --html, --json, --print-stats, logs, lists, OpenTelemetry, --profile",
        use="no",
        why="a run has its own reports (docs/exports.md), and keeps what Locust logs in locust.log",
        options=(
            "csv_prefix",
            "stats_history_enabled",
            "html_file",
            "json",
            "json_file",
            "print_stats",
            "loglevel",
            "logfile",
            "skip_log_setup",
            "list_commands",
            "show_task_ratio",
            "show_task_ratio_json",
            "otel",
            "profile",
            "help",
            "version",
        ),
    ),
    Part(
        what="the web page (--web-host, --web-port, --autostart, --class-picker, ...)",
        use="no",
        why="a run has none",
        options=(
            "web_host",
            "web_host_display_name",
            "web_port",
            "web_base_path",
            "web_auth",
            "web_login",
            "tls_cert",
            "tls_key",
            "autostart",
            "autoquit",
            "headful",
            "class_picker",
            "build_path",
            "legacy_ui",
        ),
    ),
    Part(
        what="--processes",
        use="key",
        key="generator",
        why="workers of Locust on this machine share the users",
        options=("processes",),
    ),
    Part(
        what="--master, --worker and their options",
        use="no",
        why="all workers are on this machine, and Locust starts them",
        options=(
            "master",
            "master_bind_host",
            "master_bind_port",
            "master_host",
            "master_port",
            "worker",
            "slave",
            "expect_workers",
            "expect_workers_max_wait",
            "expect_slaves",
            "enable_rebalancing",
        ),
    ),
)

PART_OF_OPTION: Final = {option: part for part in PARTS for option in part.options}
