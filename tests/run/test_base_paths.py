"""What leads into head's checkout, as base sees it: real interpreters import one of two versions."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import venv

import pytest

from ci_gate.errors import UsageError
from ci_gate.run.base import open_base
from ci_gate.thresholds import parse_thresholds
from tests.repositories import commit_files, git, make_repository

THRESHOLDS = """\
schema: 1
service:
  command: {command}
  env: {env}
profiles: {{quick: {{duration: 1s}}}}
scenarios:
  visits:
    locustfile: visits.py
    users: {{Visitor: 1}}
    spawn_rate: 1
    limits:
      all: {{p50: 1s}}
"""
SHOW = "import shop; print(shop.VERSION)"


@pytest.fixture
def top(tmp_path):
    """thresholds.yaml in load/, the code in src/ and, untracked, in build/; head is newer than base."""
    files = {
        ".gitignore": "build/\n.venv/\n",
        "src/shop.py": "VERSION = 'base'\n",
        "load/config.txt": "base",
        "load/thresholds.yaml": THRESHOLDS.format(command="python app.py {port}", env="{}"),
    }
    folder = make_repository(tmp_path / "repo", files)
    more = {
        "src/shop.py": "VERSION = 'head'\n",
        "load/config.txt": "head",
        "added/shop.py": "VERSION = 'head'\n",
    }
    commit_files(folder, more)
    for name in ("build", ".venv/lib", "../repo-libs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "shop.py").write_text(f"VERSION = {name!r}\n")
    (folder / ".venv/pyvenv.cfg").touch()
    return folder


def open_at(top, environ, *, command="python app.py {port}", env="{}"):
    text = THRESHOLDS.format(command=command, env=env)
    (top / "load/thresholds.yaml").write_text(text)
    git(top, "stash", "--quiet")
    git(top, "checkout", "--quiet", "HEAD^")
    commit_files(top, {"load/thresholds.yaml": text})
    base = git(top, "rev-parse", "HEAD")
    git(top, "checkout", "--quiet", "main")
    thresholds = parse_thresholds(text, str(top / "load/thresholds.yaml"))
    return open_base(base, thresholds, top / "load", {"PATH": os.environ["PATH"], **environ})


def imported(top, python_path):
    """The version that base's process imports."""
    with open_at(top, {"PYTHONPATH": python_path}) as base:
        done = subprocess.run(
            [sys.executable, "-c", SHOW],
            cwd=base.repository,
            env=dict(base.environ),
            check=False,
            capture_output=True,
            text=True,
        )
    return done.stdout.strip() or done.stderr.splitlines()[-1]


def test_code__beside_the_folder_of_thresholds_is_bases_own(top):
    assert imported(top, f"{top}/src") == "base"


@pytest.mark.parametrize("written", ["{top}/load/../src", "{top}//src/", "../src", "{top}/src:{top}/added"])
def test_code__however_it_is_written_is_bases_own(top, written):
    assert imported(top, written.format(top=top)) == "base"


def test_code__through_a_symlink_is_bases_own(top, tmp_path):
    (tmp_path / "link").symlink_to(top)
    (tmp_path / "deep").symlink_to(top / "src")
    assert imported(top, f"{tmp_path}/link/src") == "base"
    assert imported(top, f"{tmp_path}/deep") == "base"


def test_code__beside_the_repository_is_shared(top):
    assert imported(top, f"{top}-libs") == "../repo-libs"
    assert imported(top, "../../repo-libs") == "../repo-libs"


def test_code__that_base_does_not_have_is_not_heads(top):
    assert imported(top, f"{top}/added") == "ModuleNotFoundError: No module named 'shop'"


def test_virtual_environment__is_shared(top):
    assert imported(top, f"{top}/.venv/lib") == ".venv/lib"


def refusal(top, environ=None, **service):
    with pytest.raises(UsageError, match=r"head's own code: (?P<what>.*); to fix it") as refused:
        open_at(top, environ or {}, **service).__enter__()
    assert git(top, "worktree", "list").count("\n") == 0
    return str(refused.value)


def test_untracked_code__is_refused(top):
    assert f"PYTHONPATH names {top}/build, which git does not track" in refusal(
        top, {"PYTHONPATH": f"{top}/build"}
    )


def test_link__that_leads_back_is_refused(top):
    git(top, "checkout", "--quiet", "HEAD^")
    (top / "absolute").symlink_to(top / "src")
    base = commit_files(top, {})
    git(top, "checkout", "--quiet", "main")
    thresholds = parse_thresholds((top / "load/thresholds.yaml").read_text(), "thresholds.yaml")
    for written in (f"{top}/absolute", "../absolute"):
        with (
            pytest.raises(UsageError, match="is a link that leads back into head's checkout"),
            open_base(base, thresholds, top / "load", {"PYTHONPATH": written}),
        ):
            pass


def test_environment__of_paths_leads_to_base_and_the_rest_stays(top):
    environ = {
        "CONFIG": f"{top}/load/config.txt",
        "ROOT": str(top),
        "BOTH": f"{top}/src:/usr/lib",
        "LOG": f"{top}/build/log.txt",
        "BESIDE": f"{top}-libs/x",
        "URL": "http://127.0.0.1:9/repo",
        "DATABASE": f"sqlite:///{top}/build/shop.sqlite3",
        "EMPTY": "",
        "OTHER": f"-I{top}/../x -I{top}-libs -I/x{top}/src -I{top}/nothing",
    }
    with open_at(top, environ) as base:
        seen, root = base.environ, base.repository.parent
        assert (root / "load" / "config.txt").read_text() == "base"
    changed = {name: value for name, value in seen.items() if value != {**os.environ, **environ}.get(name)}
    assert changed == {
        "CONFIG": f"{root}/load/config.txt",
        "ROOT": str(root),
        "BOTH": f"{root}/src:/usr/lib",
    }


def test_environment__that_names_code_inside_of_a_text_is_refused(top):
    for text in (
        f"-I{top}/src",
        f"${{X:-{top}/src}}",
        f"$(cat {top}/src)",
        f"-v -p={top}/src -v",
        f"file://{top}/src",
        f'"{top}/src"',
    ):
        assert f"OPTIONS names {top}/src inside of a text" in refusal(top, {"OPTIONS": text})


def test_text__that_names_code_through_a_symlink_is_refused(top, tmp_path):
    (tmp_path / "link").symlink_to(top)
    (tmp_path / "deep").symlink_to(top / "src")
    for path in ("link/src", "deep", "link/load/../src"):
        said = refusal(top, {"OPTIONS": f"-cp {tmp_path}/{path}:/usr/share/java"})
        assert f"OPTIONS names {tmp_path}/{path} inside of a text" in said
    said = refusal(top, command=f"\"sh -c 'cd {tmp_path}/link; exec python app.py' {{port}}\"")
    assert f"service.command names {tmp_path}/link inside of a text" in said
    with open_at(
        top, {"OPTIONS": f"-cp {tmp_path}/link/build:{tmp_path}/linked", "ROOT": f"-C {tmp_path}/link"}
    ):
        pass


def test_command__leads_to_base(top):
    command = f"{top}/load/run.sh --config={top}/load/config.txt --port {{port}} /usr/bin"
    with open_at(top, {}, command=command, env=f"{{CONF: {top}/src, PORT: '{{port}}'}}") as base:
        root = base.repository.parent
        assert shlex.split(base.service.target) == [
            *(f"{root}/load/run.sh", f"--config={root}/load/config.txt"),
            "--port",
            "{port}",
            "/usr/bin",
        ]
        assert dict(base.service.env) == {"CONF": f"{root}/src", "PORT": "{port}"}


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("sh -c 'cd {top}/src && exec python app.py'", "service.command names {top}/src inside of a text"),
        ("sh -c 'cd {top}; exec python app.py'", "service.command names {top} inside of a text"),
        ("{top}/build/shop.py", "service.command names {top}/build/shop.py, which git does not track"),
        ("python -jar={top}/build/shop.py", "names {top}/build/shop.py, which git does not track"),
    ],
)
def test_command__that_cannot_be_led_on_is_refused(top, command, what):
    assert what.format(top=top) in refusal(top, command=f'"{command.format(top=top)} {{port}}"')


def test_command__that_is_found_among_untracked_files_is_refused(top):
    (top / "build/shop").write_text("#!/bin/sh\n")
    (top / "build/shop").chmod(0o755)
    said = refusal(top, {"PATH": f"{top}/build:{os.environ['PATH']}"}, command="shop --port {port}")
    assert f"service.command (shop) names {top}/build/shop, which git does not track" in said


def make_environment(folder):
    """A virtual environment that sees what this one has, and its interpreter."""
    venv.create(folder, symlinks=True, system_site_packages=True, with_pip=False)
    return folder / "bin" / "python", next(folder.glob("lib/python3*/site-packages"))


def say_where(site, kind, top):
    """As installers write it: a folder of modules, or setuptools' finder of packages."""
    if kind == "folder":
        (site / "__editable__.shop-1.pth").write_text(f"{top}/src\n")
        return
    (site / "__editable__.shop-1.pth").write_text("import __editable___shop_1_finder")
    (site / "__editable___shop_1_finder.py").write_text(
        f"from __future__ import annotations\nMAPPING: dict[str, str] = {{'shop': '{top}/src/shop'}}\n"
    )


@pytest.mark.parametrize("kind", ["folder", "finder"])
@pytest.mark.parametrize("named", ["PATH", "command"])
def test_editable_install__of_heads_code_is_bases_own_for_base(top, tmp_path, kind, named):
    python, site = make_environment(tmp_path / "environment")
    say_where(site, kind, top)
    path = f"{python.parent}:{os.environ['PATH']}" if named == "PATH" else os.environ["PATH"]
    command = f"{python} app.py {{port}}" if named == "command" else "python app.py {port}"
    with open_at(top, {"PATH": path, "PYTHONPATH": "/else"}, command=command) as base:
        assert base.environ["PYTHONPATH"] == f"{base.repository.parent}/src:/else"
        shown = subprocess.run(
            [python, "-c", SHOW], cwd=base.repository, env=dict(base.environ), capture_output=True, text=True,
            check=True,
        ).stdout  # fmt: skip
    assert shown == "base\n"


def test_editable_install__comes_before_the_path_that_the_service_says(top, tmp_path):
    python, site = make_environment(tmp_path / "environment")
    say_where(site, "folder", top)
    with open_at(top, {}, command=f"{python} app.py {{port}}", env="{PYTHONPATH: /else}") as base:
        assert dict(base.service.env) == {"PYTHONPATH": f"{base.repository.parent}/src:/else"}


def test_editable_install__of_other_code_is_shared(top, tmp_path):
    python, site = make_environment(tmp_path / "environment")
    (site / "others.pth").write_text(f"{top}-libs\nimport sys\n{top}/.venv/lib\n{top}/nothing\n")
    for number, text in enumerate(("{open}", "{'a'}", "{1: 2}")):
        (site / f"__editable___odd_{number}_finder.py").write_text(f"MAPPING = {text}\n")
    with open_at(top, {}, command=f"{python} app.py {{port}}") as base:
        assert "PYTHONPATH" not in {**base.environ, **dict(base.service.env)}
