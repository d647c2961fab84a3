"""The manifests, scripts and workflow of docs/kubernetes.md, without a cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
import yaml

from ci_gate.cli.main import cli
from ci_gate.judge.verdict import decode_verdict
from tests.conftest import LONG
from tests.workflows.linters import actionlint, check_schema, zizmor

PAGE = (Path(__file__).parents[2] / "docs" / "kubernetes.md").read_text(encoding="utf-8")
LOAD, WORKFLOW, RESULTS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENTS = {each["kind"]: each for each in yaml.safe_load_all(LOAD)}
TEST = DOCUMENTS["LocustTest"]
SCRIPTS = DOCUMENTS["ConfigMap"]["data"]
JOB = yaml.safe_load(WORKFLOW)["jobs"]["cluster-gate"]
OPERATOR_ADDS = {
    "master": [
        "--master",
        "--master-port=5557",
        "--expect-workers=4",
        "--enable-rebalancing",
        "--only-summary",
    ],
    "worker": ["--worker", "--master-port=5557", "--master-host=load-gate-7-1-master"],
}
# The fields of locust.io/v2, by its CRD of version 2.4.
FIELDS = {
    "spec": {
        "env", "image", "imagePullPolicy", "imagePullSecrets", "master", "observability", "scheduling",
        "security", "testFiles", "volumeMounts", "volumes", "worker",
    },
    "master": {"annotations", "autoquit", "autostart", "command", "extraArgs", "labels", "resources"},
    "worker": {"annotations", "command", "extraArgs", "labels", "replicas", "resources"},
    "testFiles": {"configMapRef", "libConfigMapRef", "libMountPath", "srcMountPath"},
    "env": {"configMapRefs", "secretMounts", "secretRefs", "variables"},
    "security": {"containerSecurityContext", "podSecurityContext"},
}  # fmt: skip


def variables():
    return {each["name"]: each["value"] for each in TEST["spec"]["env"]["variables"]}


def lay_out(folder, files, **programs):
    """The folders of the pods, ConfigMaps mounted as Kubernetes does it.

    ``programs`` stand before those of this machine.
    """
    source, scripts, own = (folder / name for name in ("src", "scripts", "bin"))
    for each in (source / "..1", scripts, own):
        each.mkdir(parents=True)
    (source / "..data").symlink_to("..1")
    for name, text in files.items():
        (source / "..1" / name).write_text(text)
        (source / name).symlink_to(Path("..data", name))
    for name, text in programs.items():
        (own / name).write_text(f"#!/bin/sh\n{text}\n")
        (own / name).chmod(0o755)
    places = {"/lotest/src": source, "/scripts": scripts, "/results": folder / "results"}
    for name, text in SCRIPTS.items():
        (scripts / name).write_text(re.sub("|".join(places), lambda found: str(places[found[0]]), text))


def start(role, folder, name, **environ):
    """The pod ``name`` of a role: its command, with what the operator adds."""
    here = folder / name
    here.mkdir()
    command = TEST["spec"][role]["command"].replace("/scripts", str(folder / "scripts")).split()
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        [*command, *OPERATOR_ADDS[role]],
        cwd=here,
        env=variables() | {"RUN": "7-1", "PATH": path} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("place", FIELDS)
def test_manifest__has_fields_that_the_operator_knows(place):
    spec = TEST["spec"]
    assert (TEST["apiVersion"], TEST["kind"]) == ("locust.io/v2", "LocustTest")
    assert {*(spec if place == "spec" else spec[place])} <= FIELDS[place]
    assert {"image", "master", "worker"} <= {*spec}
    assert 1 <= spec["worker"]["replicas"] <= 500
    assert {each["target"] for each in spec["volumeMounts"]} <= {"master", "worker", "both"}


@pytest.mark.parametrize("role", OPERATOR_ADDS)
def test_script__calls_ci_gate_by_options_that_it_has(role, tmp_path):
    files = {"thresholds.yaml": "schema: 1", "checkout.py": ""}
    programs = {"ci-gate": 'printf "%s\\n" "$@"', "hostname": "echo 10.0.0.7"}
    lay_out(tmp_path, files, **programs)
    with start(role, tmp_path, "pod") as pod:
        shown, _ = pod.communicate(timeout=60)
    assert pod.returncode == 0, shown
    assert (tmp_path / "pod" / "thresholds.yaml").read_text() == "schema: 1"
    assert not (tmp_path / "pod" / "load" / "checkout.py").is_symlink()
    name, *arguments = shown.splitlines()
    assert name == {"master": "run"}.get(role, role)
    command = cli.get_command(click.Context(cli), name)
    given = command.make_context(name, arguments).params
    if role == "master":
        assert (given["workers"], str(given["bind"])) == (4, "10.0.0.7:5557")
        assert given["out"] == tmp_path / "results" / "7-1"
    else:
        assert str(given["master"]) == "load-gate-7-1-master:5557"


THRESHOLDS = """
schema: 1
service: {{url: "{url}", ready: /healthz}}
profiles: {{pull_request: {{duration: 5s, warmup: 1s}}}}
scenarios:
  pages:
    locustfile: load/pages.py
    users: {{Reader: 4}}
    spawn_rate: 4
    limits: {{all: {{p50: 10s, failures: 1%}}}}
"""
LOCUSTFILE = """
from locust import HttpUser, constant_throughput, task


class Reader(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def read(self):
        self.client.get("/")
"""


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.mark.slow
@LONG
def test_scripts__of_all_pods_make_one_verdict(tmp_path):
    """On one machine: the name of the master's service is not to be had here, so it is 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    lay_out(
        tmp_path,
        {"thresholds.yaml": THRESHOLDS.format(url=url), "pages.py": LOCUSTFILE},
        hostname="echo 127.0.0.1",
    )
    script = tmp_path / "scripts" / "worker.sh"
    script.write_text(script.read_text().replace("load-gate-$RUN-master", "127.0.0.1"))
    secret = {"CI_GATE_WORKER_SECRET": "0123456789abcdef0123456789abcdef"}
    pods = [start("worker", tmp_path, f"worker-{number}", **secret) for number in range(4)]
    pods.append(start("master", tmp_path, "master", **secret))
    try:
        shown = [pod.communicate(timeout=120)[0] for pod in reversed(pods)]
    finally:
        for pod in pods:
            pod.kill()
            pod.wait()
        server.shutdown()
        server.server_close()
    assert [pod.returncode for pod in pods] == [0] * 5, shown
    verdict = decode_verdict((tmp_path / "results" / "7-1" / "verdict.json").read_bytes())
    assert verdict.outcome == "PASS"


def test_manifests__fit_together():
    """As many workers as the master waits for; each name that one uses is there in another."""
    spec = TEST["spec"]
    assert variables()["WORKERS"] == str(spec["worker"]["replicas"])
    assert TEST["metadata"]["name"] == "load-gate-RUN_ID"
    assert variables()["RUN"] == "RUN_ID"
    claim = DOCUMENTS["PersistentVolumeClaim"]["metadata"]["name"]
    sources = {each["name"]: each for each in spec["volumes"]}
    assert sources["results"]["persistentVolumeClaim"]["claimName"] == claim
    assert sources["scripts"]["configMap"]["name"] == DOCUMENTS["ConfigMap"]["metadata"]["name"]
    assert {each["name"] for each in spec["volumeMounts"]} == {*sources}
    policy = DOCUMENTS["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == spec["master"]["labels"]
    assert policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"] == spec["worker"]["labels"]
    pod = yaml.safe_load(RESULTS)
    assert pod["spec"]["volumes"] == [sources["results"]]
    assert pod["spec"]["containers"][0]["image"] == spec["image"]
    assert {each["metadata"]["namespace"] for each in (*DOCUMENTS.values(), pod)} == {"load-gate"}


def test_workflow__is_clean_to_every_linter(tmp_path):
    file = tmp_path / ".github" / "workflows" / "cluster-gate.yml"
    file.parent.mkdir(parents=True)
    file.write_text(WORKFLOW)
    assert WORKFLOW.startswith("# .github/workflows/cluster-gate.yml\n")
    assert check_schema("github-workflows", file) == ""
    assert zizmor(tmp_path) == []
    assert actionlint(file) == []


def test_secret_of_the_cluster__is_gone_before_the_token_is_used():
    named = {step["name"]: step for step in JOB["steps"]}
    assert [name for name, step in named.items() if "GITHUB_TOKEN" in step.get("env", {})] == [
        "Publish, and decide"
    ]
    assert 'rm -f "$KUBECONFIG"' in named["Clean up"]["run"]
    assert [*named].index("Clean up") < [*named].index("Publish, and decide")
