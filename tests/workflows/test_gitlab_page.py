"""The jobs of docs/gitlab.md: by GitLab's schema, and no code of a merge request where the token is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.servers import skip_or_fail
from tests.workflows.linters import check_schema

PAGE = (Path(__file__).parents[2] / "docs" / "gitlab.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GATE, NOTE = yaml.safe_load(BLOCK).values()
MARKER = "<!-- load-gate -->\n"
CURL = """#!/bin/sh
grep -q 'PRIVATE-TOKEN:secret' ../token || exit 22
case "$*" in
  *--data*)
    while [ $# -gt 1 ]; do [ "$1" = --request ] && method=$2; shift; done
    echo "$method $1" > ../asked ;;
  */user) echo '{{"id": 7}}' ;;
  *) cat {folder}/notes.json ;;
esac
"""


def test_jobs__fit_the_schema(tmp_path):
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text(BLOCK)
    assert check_schema("gitlab-ci", file) == ""


def test_token__is_where_no_code_of_the_merge_request_is():
    assert NOTE["variables"] == {"GIT_STRATEGY": "none"}
    assert "LOAD_GATE_TOKEN" not in json.dumps(GATE)
    assert {"out/report.md", "out/verdict.json"} <= {*GATE["artifacts"]["paths"]}


@pytest.mark.parametrize(("known", "expected"), [([], "POST /notes"), ([9], "PUT /notes/9")])
def test_note__is_written_once_and_then_kept_up_to_date(tmp_path, known, expected):
    """The job's own script; curl is a stand-in that answers as GitLab's API does."""
    if shutil.which("jq") is None:
        skip_or_fail("jq is not installed")
    job = tmp_path / "job"
    (job / "out").mkdir(parents=True)
    (job / "out" / "report.md").write_text('## ❌ FAIL: "quoted"\n')
    notes = [
        {"id": 1, "author": {"id": 7}, "body": "hello"},
        {"id": 2, "author": {"id": 8}, "body": f"{MARKER}of somebody else"},
        *({"id": number, "author": {"id": 7}, "body": f"{MARKER}old"} for number in known),
    ]
    (tmp_path / "notes.json").write_text(json.dumps(notes))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apk").write_text("#!/bin/sh\n")
    (tools / "curl").write_text(CURL.format(folder=tmp_path))
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environ = {
        "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
        "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "5",
        "LOAD_GATE_TOKEN": "secret",
    }
    subprocess.run(["sh", "-e", "-c", "\n".join(NOTE["script"])], cwd=job, env=environ, check=True)
    method, url = (tmp_path / "asked").read_text().split()
    assert f"{method} /notes{url.partition('/notes')[2]}" == expected
    body = json.loads((tmp_path / "body.json").read_text())["body"]
    assert body == f'{MARKER}## ❌ FAIL: "quoted"\n'
