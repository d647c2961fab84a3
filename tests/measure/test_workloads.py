"""Several locustfiles described at once: each in a process of its own, whatever the others do."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from ci_gate.errors import OutsideError
from ci_gate.measure.locustfile import workloads
from ci_gate.measure.locustfile.workloads import describe_workloads, import_locust
from ci_gate.thresholds import LocustSettings
from tests.service.services import await_true

USER = """
from locust import User, constant
from {module} import NAME
User = type(NAME, (User,), {{"wait_time": constant(1), "tasks": [lambda user: None]}})
"""


REQUIRED = """
from locust import events
events.init_command_line_parser.add_listener(lambda parser: parser.add_argument("--key", required=True))
"""


def has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def settings(*files, **more):
    return LocustSettings(locustfiles=files, **more)


def describe(folder, **files):
    every = [settings(f"{name}.py") for name in files]
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return [*describe_workloads(every, folder, dict(os.environ)).values()]


def test_workloads__of_one_process_share_no_module(tmp_path):
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "names.py").write_text(f"NAME = 'User{side.upper()}'")
        (tmp_path / side / "load.py").write_text(USER.format(module="names"))
    every = map(settings, ("b/load.py", "a/load.py", "b/load.py"))
    found = describe_workloads(every, tmp_path, dict(os.environ))
    assert [(each.name, found[each].classes[0].name) for each in found] == [
        ("b/load.py", "UserB"),
        ("a/load.py", "UserA"),
    ]


def test_workloads__one_that_ends_its_process_is_alone_in_it(tmp_path):
    fine = "import names\n" + USER.format(module="names")
    (tmp_path / "names.py").write_text("NAME = 'Fine'")
    dead, loud, lost, good = describe(
        tmp_path,
        dead="import os; os._exit(7)",
        loud="import os, sys; print('no\\ntoken', file=sys.stderr, flush=True); os._exit(7)",
        lost="import not_there",
        good=fine,
    )
    assert dead.error == "exit status 7"
    assert loud.error == "token"
    assert "not_there" in lost.error
    assert good.error is None
    assert good.classes[0].name == "Fine"


def test_workloads__one_that_hangs_is_named_and_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(workloads, "_TIMEOUT_S", 20.0)  # on a busy machine, Locust's import takes some of it
    hangs = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(99)"
    with pytest.raises(OutsideError, match=r"^hangs\.py did not load within 20 s$"):
        describe(tmp_path, good="x = 1", hangs=hangs)
    pid = int((tmp_path / "pid").read_text())
    assert await_true(lambda: has_ended(pid))


AS_ALONE = """
import gc, sys
assert gc.isenabled(), "a locustfile's garbage stays"
assert sys.stdin.read() == "", "it would wait for what nobody types"
from locust import User

class Visitor(User):
    pass
"""


def test_locust__that_was_imported_before_describes_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(workloads, "_TIMEOUT_S", 60.0)
    (tmp_path / "load.py").write_text(AS_ALONE)
    with import_locust(dict(os.environ)) as importing:
        found = describe_workloads([settings("load.py")], tmp_path, dict(os.environ), importing=importing)
    assert found[settings("load.py")].error is None
    assert [each.name for each in found[settings("load.py")].classes] == ["Visitor"]
    assert importing.returncode == 0


def test_locust__that_was_imported_and_is_not_needed_is_ended():
    with import_locust(dict(os.environ)) as importing:
        assert importing.poll() is None
    assert importing.returncode == -signal.SIGKILL


def test_workloads__a_file_that_is_not_there(tmp_path):
    found = describe_workloads([settings("gone.py")], tmp_path, {})
    assert found[settings("gone.py")].error == "there is no such file"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("open('users.csv')", "; 'directory: load' beside 'locustfile' would find it"),
        ("open('data/users.csv')", "; 'directory: load' beside 'locustfile' would find it"),
        ("open('others.csv')", "No such file or directory: 'others.csv' (load/feeder.py:1)"),
        ("open('/users.csv')", "No such file or directory: '/users.csv' (load/feeder.py:1)"),
        (
            REQUIRED,
            "the following arguments are required: --key; 'args' beside 'locustfile' give it a value",
        ),
    ],
)
def test_what_a_key_of_the_scenario_would_mend_names_it(tmp_path, line, said):
    (tmp_path / "load" / "data").mkdir(parents=True)
    for path in ("load/users.csv", "load/data/users.csv"):
        (tmp_path / path).write_text("name\n")
    (tmp_path / "load" / "feeder.py").write_text(f"{line}\n")
    found = describe_workloads([settings("load/feeder.py")], tmp_path, dict(os.environ))
    assert found[settings("load/feeder.py")].error.endswith(said)
    there = settings("load/feeder.py", directory="load")
    if "directory: load" in said:
        assert describe_workloads([there], tmp_path, dict(os.environ))[there].error is None


TAGGED = """
from locust import HttpUser, TaskSet, User, constant, tag, task

class Inner(TaskSet):
    @tag("slow")
    @task
    def report(self):
        self.client.get("/report")

class Visitor(HttpUser):
    wait_time = constant(1)
    tasks = [Inner]

    @tag("buy")
    @task
    def buy(self):
        self.client.post("/cart")
        self.client.post("/orders")

    @task(3)
    def look(self):
        self.client.get("/items")
"""


@pytest.mark.parametrize(
    ("given", "tasks"),
    [
        ({}, {"Inner": 0.2, "buy": 0.2, "look": 0.6}),
        ({"tags": ("buy",)}, {"buy": 1.0}),
        ({"exclude_tags": ("slow",)}, {"buy": 0.25, "look": 0.75}),
        ({"tags": ("buy", "slow"), "exclude_tags": ("slow",)}, {"buy": 1.0}),
        ({"tags": ("nothing",)}, {}),
    ],
)
def test_tags__leave_the_tasks_that_locust_would_run(tmp_path, given, tasks):
    (tmp_path / "tagged.py").write_text(TAGGED)
    asked = settings("tagged.py", **given)
    (visitor,) = describe_workloads([asked], tmp_path, dict(os.environ))[asked].classes
    assert {task.name: task.share for task in visitor.tasks} == pytest.approx(tasks)
    assert visitor.tags == ("buy", "slow")


OWN_CLIENTS = """
import gevent
from locust import FastHttpUser, HttpUser, User, constant, task

class Lines(User):
    wait_time = constant(1)

    @task
    def ask(self):
        self.client.get("key")

class Browser(HttpUser):
    wait_time = constant(1)

    @task
    def ask(self):
        self.client.get("/a")
        self.client.get_all("/b")

class Polling(HttpUser):
    wait_time = constant(1)

    def on_start(self):
        gevent.spawn(self.poll)

    def poll(self):
        while True:
            self.client.get("/news")

    @task
    def ask(self):
        self.client.get("/a")

class Plain(FastHttpUser):
    wait_time = constant(1)

    @task
    def ask(self):
        self.client.get("/a")
        self.client.close()
"""


def test_client__of_the_authors_own_may_ask_for_anything(tmp_path):
    (tmp_path / "own.py").write_text(OWN_CLIENTS)
    asked = settings("own.py")
    classes = describe_workloads([asked], tmp_path, dict(os.environ))[asked].classes
    assert {each.name: (each.tasks[0].endpoints, each.tasks[0].fewest) for each in classes} == {
        "Lines": (None, 0),
        "Browser": (None, 1),
        "Polling": (None, 1),
        "Plain": (("GET /a",), 1),
    }


HOSTS = """
from locust import HttpUser, User, constant, task
class Sock(User):
    host = "ws://127.0.0.1:9000"
class Lines(User):
    host = "127.0.0.1:9000"
class Pages(User):
    host = "http://127.0.0.1:9000"
class Web(HttpUser):
    host = "ws.example"
for each in (Sock, Lines, Pages, Web):
    each.wait_time, each.tasks = constant(1), [lambda user: None]
"""


@pytest.mark.parametrize(("host", "unused"), [("", "Pages Web"), ("127.0.0.1:1", "Sock Lines Pages Web")])
def test_workload__a_host_is_kept_or_not_used_and_never_both(tmp_path, host, unused):
    (tmp_path / "load.py").write_text(HOSTS)
    given = settings("load.py", host=host)
    (workload,) = describe_workloads([given], tmp_path, dict(os.environ)).values()
    assert {each.user_classes for each in workload.unused} == {(name,) for name in unused.split()}
