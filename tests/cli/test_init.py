"""`ci-gate init`: what it sees in a repository, and that no draft is green by itself."""

from __future__ import annotations

import os

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci_gate.cli.init.draft import draft_thresholds
from ci_gate.cli.init.repository import Compose, Dockerfile, Repository, look_at
from ci_gate.cli.init.start_command import Command
from ci_gate.errors import BadInputError
from ci_gate.thresholds import parse_thresholds
from tests.workflows.linters import actionlint, check_schema, zizmor

APP = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

def reply(_):
    return JSONResponse([1])

app = Starlette(routes=[Route("/items", reply), Route("/healthz", reply)])
"""
LOCUSTFILE = """
from locust import HttpUser, between, task

class Shopper(HttpUser):
    wait_time = between(0.1, 0.3)

    @task
    def browse(self):
        self.client.get("/items")
"""
COMPOSE = """
services:
  web:
    build: .
    environment: {SECRET_KEY: abc, DATABASE_URL: postgres://db/shop}
    healthcheck: {test: [CMD, curl, -f, "http://localhost:8000/alive"]}
  db: {image: "registry.example/postgres:15"}
"""


def write(folder, **files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def look(folder, **files):
    return look_at(write(folder, **files), dict(os.environ))


def test_draft__of_a_service_and_its_locustfile_can_be_run(call, tmp_path):
    folder = write(tmp_path / "shop", **{"app/main.py": APP, "load/shop.py": LOCUSTFILE})
    write(folder, **{"locust.conf": "users = 12\nspawn-rate = 6\nrun-time = 30s\n"})
    code, out, err = call("init", folder)
    assert (code, "to fill in" in out) == (0, False), err
    file = folder / "thresholds.yaml"
    thresholds = parse_thresholds(file.read_text(), str(file))
    assert thresholds.service.target == "python -m uvicorn app.main:app --host 127.0.0.1 --port {port}"
    assert thresholds.service.ready.path == "/healthz"
    (scenario,) = thresholds.scenarios
    assert (scenario.name, scenario.user_count, scenario.spawn_rate) == ("shop", 12, 6)
    assert "GET /items" in scenario.endpoints
    assert call("check", "--thresholds", file)[0] == 0
    file.write_text(file.read_text().replace("duration: 20s", "duration: 3s"))
    code, table, _ = call(
        "run", "--quiet", "--profile", "quick", "--thresholds", file, "--out", tmp_path / "out"
    )
    assert code == 0, table


@pytest.mark.parametrize(
    ("users", "drafted", "source"),
    [
        ("40", 40, "locust.conf"),
        ("\N{SUPERSCRIPT TWO}", 10, "your own number"),
        ("9" * 5000, 10, "your own number"),
        ("many", 10, "your own number"),
    ],
)
def test_draft__takes_users_of_locust_conf_where_they_are_a_number(tmp_path, users, drafted, source):
    text = draft_thresholds(look(tmp_path, **{"shop.py": LOCUSTFILE, "locust.conf": f"users = {users}\n"}))
    assert f"users: {{Shopper: {drafted}}}    # {source}" in text


def test_draft__of_nothing_is_a_todo_that_check_reports(call, tmp_path):
    code, out, _ = call("init", tmp_path / "empty")
    assert code == 0
    assert "to fill in" in out
    file = tmp_path / "empty" / "thresholds.yaml"
    code, _, err = call("check", "--thresholds", file)
    assert code == 2
    assert f"{file}:6:" in err
    assert "'command' is still to be filled in" in err
    text = file.read_text()
    file.write_text(text.replace("TODO how the service is started, with {port} for its port", "serve {port}"))
    assert file.read_text() != text
    assert call("check", "--thresholds", file)[0] == 0


def test_init__writes_over_nothing(call, tmp_path):
    write(tmp_path, **{"thresholds.yaml": "mine", ".gitignore": "mine", "load/shop.py": LOCUSTFILE})
    code, out, _ = call("init", tmp_path)
    assert (code, (tmp_path / "thresholds.yaml").read_text(), (tmp_path / ".gitignore").read_text()) == (
        0,
        "mine",
        "mine",
    )
    assert out.count("it is there already") == 2
    assert not (tmp_path / "load" / "visits.py").exists()


@pytest.mark.parametrize("folder", ["", "backend"])
def test_workflows__of_a_draft_have_nothing_that_linters_find(call, tmp_path, folder):
    (tmp_path / ".git").mkdir()
    write(
        tmp_path / folder,
        **{"app.py": "app = FastAPI()", "requirements.txt": "fastapi", "compose.yaml": COMPOSE},
    )
    assert call("init", tmp_path / folder)[0] == 0
    gate, comment = (
        tmp_path / ".github" / "workflows" / name for name in ("load-gate.yml", "load-gate-comment.yml")
    )
    steps = yaml.safe_load(gate.read_text())["jobs"]["load-gate"]["steps"]
    assert steps[-2]["run"] == "python -m pip install -r requirements.txt"
    assert steps[-2].get("working-directory", "") == (f"{folder}/" if folder else "")
    for step in (steps[-1], *yaml.safe_load(comment.read_text())["jobs"]["comment"]["steps"]):
        assert step.get("with", {}).get(
            "thresholds", "thresholds.yaml"
        ) == f"{folder}/thresholds.yaml".lstrip("/")
    assert check_schema("github-workflows", gate, comment) == ""
    assert actionlint(gate, comment) == []
    # A tag instead of a commit, and a workflow_run, are the examples' own decisions.
    assert set(zizmor(gate.parent)) <= {"unpinned-uses", "dangerous-triggers"}


def test_dry_run__shows_all_and_writes_nothing(call, tmp_path):
    code, out, _ = call("init", "--dry-run", tmp_path)
    assert code == 0
    assert "+schema: 1\n" in out
    assert list(tmp_path.iterdir()) == []


def test_dry_run__shows_how_a_draft_differs_from_a_file_that_is_there(call, tmp_path):
    mine = "schema: 1\nmine: \x1b[31m"
    write(tmp_path, **{"thresholds.yaml": mine, ".gitignore": "mine\n"})
    code, out, _ = call("init", "--dry-run", tmp_path)
    assert code == 0
    file, ignored = tmp_path / "thresholds.yaml", tmp_path / ".gitignore"
    assert f"kept {file}: it is there already\n" in out
    assert f"--- {file}\n+++ {file}\n" in out
    assert "\n schema: 1\n-mine: \ufffd[31m\n\\ No newline at end of file\n+\n+service:" in out
    assert f"--- {ignored}\n+++ {ignored}\n@@ -1 +1,2 @@\n mine\n+ci-gate-out/\n" in out
    assert f"--- /dev/null\n+++ {tmp_path / 'load' / 'visits.py'}\n" in out
    assert file.read_text() == mine
    assert {path.name for path in tmp_path.iterdir()} == {"thresholds.yaml", ".gitignore"}


def test_dry_run__after_init_shows_nothing(call, tmp_path):
    write(tmp_path, **{"load/shop.py": LOCUSTFILE})
    assert call("init", tmp_path)[0] == 0
    code, out, _ = call("init", "--dry-run", tmp_path)
    assert (code, out.count("it is there already"), "@@" in out) == (0, 4, False)


@pytest.mark.parametrize(
    ("ignored", "missing"),
    [
        ("", True),
        ("dist\n", True),
        ("dist\nci-gate-out/\n", False),
        ("/ci-gate-out/", False),
        ("ci-gate-out", False),
    ],
)
def test_init__says_what_a_gitignore_that_is_there_lacks(call, tmp_path, ignored, missing):
    write(tmp_path, **{".gitignore": ignored})
    code, out, _ = call("init", tmp_path)
    assert (code, "; add the line ci-gate-out/" in out) == (0, missing)
    assert (tmp_path / ".gitignore").read_text() == ignored


@pytest.mark.parametrize(
    ("files", "command"),
    [
        (
            {"manage.py": "import django", "shop/wsgi.py": "", "requirements.txt": "Django\ngunicorn==23\n"},
            "python -m gunicorn --bind 127.0.0.1:{port} shop.wsgi",
        ),
        (
            {"backend/manage.py": "import django"},
            "python backend/manage.py runserver --noreload 127.0.0.1:{port}",
        ),
        ({"shop/__init__.py": "app = Flask(__name__)\n"}, "python -m flask --app shop:app run --port {port}"),
        (
            {"src/shop.py": "api: FastAPI = FastAPI()\n"},
            "python -m uvicorn shop:api --host 127.0.0.1 --port {port}",
        ),
        ({"web/package.json": '{"scripts": {"start": "node ."}}'}, "npm start --prefix web"),
        (
            {"package.json": '{"scripts": {"start": "json-server --watch db.json --port 3000"}}'},
            "npx --no -- json-server --watch db.json --port {port}",
        ),
        ({"package.json": '{"scripts": {"start": "node server.js -p=8080"}}'}, "node server.js -p={port}"),
        ({"package.json": '{"scripts": {"start": "build && serve --port 3000"}}'}, "npm start"),
        ({"package.json": '{"scripts": {"start": "HOST=0.0.0.0 serve --port 3000"}}'}, "npm start"),
        ({"package.json": '{"scripts": {"start": "serve --port 3000 --admin --port 3001"}}'}, "npm start"),
        ({"go.mod": "module shop\n", "cmd/shop/main.go": "func main() {}"}, "go run ./cmd/shop"),
        (
            {"Procfile": "release: migrate\nweb: gunicorn shop:app --bind 0.0.0.0:${PORT:-80}\n"},
            "gunicorn shop:app --bind 0.0.0.0:{port}",
        ),
        ({"package.json": "{"}, None),
        ({"test_app.py": "app = FastAPI()\n"}, None),
    ],
)
def test_command__is_what_the_repository_shows(tmp_path, files, command):
    found = look(tmp_path, **files)
    assert (found.command and found.command.text) == command
    if command:
        assert parse_thresholds(draft_thresholds(found), "thresholds.yaml").service.target == command


@pytest.mark.parametrize(
    ("text", "port", "health_path"),
    [
        ("FROM a\nEXPOSE 80\nFROM b\nENV PORT=8000\nEXPOSE ${PORT}/tcp\n", 80, None),
        ("FROM a\nENV PORT=8000\nEXPOSE $PORT\n", 8000, None),
        (
            "FROM a\nexpose 8080/tcp\nHEALTHCHECK --timeout=5s \\\n CMD curl http://localhost:8080/up\n",
            8080,
            "/up",
        ),
        ("FROM a\nEXPOSE 99999\n", None, None),
    ],
)
def test_dockerfile__port_and_health_check(tmp_path, text, port, health_path):
    found = look(tmp_path, **{"backend/Dockerfile": text}).dockerfile
    assert found == Dockerfile(path="backend/Dockerfile", port=port, health_path=health_path)


def test_dockerfile__without_a_port_is_a_todo(tmp_path):
    with pytest.raises(BadInputError, match="port"):
        parse_thresholds(draft_thresholds(look(tmp_path, Dockerfile="FROM a\n")), "thresholds.yaml")


def test_compose__names_variables_and_never_copies_their_values(tmp_path):
    found = look(tmp_path, **{"compose.yaml": COMPOSE, "Dockerfile": "FROM a\nEXPOSE 8000\n"})
    assert found.compose == Compose(
        path="compose.yaml",
        servers=("postgres",),
        variables=("SECRET_KEY", "DATABASE_URL"),
        health_path="/alive",
    )
    text = draft_thresholds(found)
    assert "abc" not in text
    thresholds = parse_thresholds(text, "thresholds.yaml")
    assert thresholds.service.ready.path == "/alive"
    assert dict(thresholds.probes.addresses) == {"postgres": "${DATABASE_URL:-}"}
    tolerances = {each.metric.name: each.ratio for each in thresholds.scenarios[0].regression}
    assert tolerances == {"p50": 0.1, "p95": 0.2, "cpu": 0.1, "memory": 0.2}
    assert "# And statements: 5%, with pg_stat_statements in the server" in text


def test_users__are_shared_by_weight_and_fixed_counts(tmp_path):
    more = "\n\nclass Admin(Shopper):\n    fixed_count = 1\n\nclass Seller(Shopper):\n    weight = 2\n"
    text = draft_thresholds(look(tmp_path, **{"shop.py": LOCUSTFILE + more}))
    assert "users: {Shopper: 3, Admin: 1, Seller: 6}" in text


def test_expected__has_no_path_that_differs_each_time(tmp_path):
    drawn = LOCUSTFILE.replace('get("/items")', 'get(f"/items/{id(object())}")')
    assert drawn != LOCUSTFILE
    text = draft_thresholds(look(tmp_path, **{"shop.py": drawn}))
    assert "GET /items" not in text
    assert "`ci-gate check --run` says what they call" in text
    assert "says what they call" not in draft_thresholds(look(tmp_path / "known", **{"shop.py": LOCUSTFILE}))


def test_statements__are_named_only_where_a_probe_could_count_them(tmp_path):
    assert "statements" not in draft_thresholds(look(tmp_path, Dockerfile="FROM a\nEXPOSE 8000\n"))


def test_locustfile__that_cannot_be_loaded_is_named(tmp_path):
    text = draft_thresholds(look(tmp_path, **{"load.py": "import locust, nowhere\n"}))
    assert "# load.py could not be loaded: ModuleNotFoundError: No module named 'nowhere'" in text


@pytest.mark.parametrize(
    "text", ["services: [", "services: 5", "- a", "services: {web: {build: ., environment: 5}}"]
)
def test_compose__that_is_none_is_no_obstacle(tmp_path, text):
    found = look(tmp_path, **{"compose.yml": text})
    assert found.compose == Compose(path="compose.yml")


NAMES = st.text(max_size=40)


@given(path=NAMES, command=NAMES, health_path=NAMES.filter(bool), server=NAMES)
def test_draft__whatever_was_seen_stays_in_its_value(path, command, health_path, server):
    found = Repository(
        dockerfile=Dockerfile(path=path, port=80, health_path=health_path),
        compose=Compose(path=path, servers=(server, "redis")),
        command=Command(text=command, shown_in=path),
        unloadable=((path, server),),
    )
    document = yaml.safe_load(draft_thresholds(found))
    assert document.keys() == {"schema", "service", "probes", "profiles", "scenarios"}
    assert document["service"] == {"dockerfile": path, "port": 80, "ready": health_path}
    assert document["probes"] == {"redis": "${REDIS_URL:-}"}


@given(path=NAMES, health_path=NAMES.filter(bool))
def test_draft__whatever_a_compose_file_is_called_stays_in_its_comment(path, health_path):
    found = Repository(
        compose=Compose(path=path, variables=("DATABASE_URL",), health_path=health_path),
        command=Command(text="serve", shown_in="Procfile"),
    )
    service = yaml.safe_load(draft_thresholds(found))["service"]
    env = {"DATABASE_URL": "${DATABASE_URL}"}
    assert service == {"command": "serve", "ready": health_path, "env": env}
