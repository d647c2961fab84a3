"""The machine of a run, as its verdict keeps it."""

from __future__ import annotations

import msgspec
import pytest

from ci_gate.errors import EvidenceError
from ci_gate.evidence.environment import read_environment
from ci_gate.judge.gate.merging import merge_verdicts
from ci_gate.judge.verdict import decode_verdict, encode_verdict
from ci_gate.run.host import describe_host
from ci_gate.thresholds import parse_thresholds
from tests.judge.evidence_values import make_run
from tests.judge.test_verdict import GOOD, TEXT, judge_two
from tests.report.verdicts import scenario, verdict

EPYC = "AMD EPYC 7763 64-Core Processor"
HOST = {
    "cpu_model": EPYC,
    "cpus": "4",
    "memory_bytes": "16766550016",
    "kernel": "6.11.0-1018-azure",
    "machine": "x86_64",
    "image": "ubuntu24",
    "image_version": "20261110.1.0",
}
VERSIONS = {"python": "3.12.3", "locust": "2.40.0"}


def read(host, versions=VERSIONS):
    run = make_run(parse_thresholds(TEXT, "thresholds.yaml"), host=host, versions=versions)
    return read_environment(run)


def test_environment__is_in_the_verdict_on_each_scenario_and_is_read_back():
    judged = judge_two(GOOD, host=HOST, versions=VERSIONS)
    environment = decode_verdict(encode_verdict(judged)).scenarios[0].environment
    assert msgspec.to_builtins(environment) == HOST | VERSIONS | {"cpus": 4, "memory_bytes": 16766550016}


def test_environment__of_an_older_run_is_not_known():
    assert set(msgspec.to_builtins(read({}, {})).values()) == {"", 0}


@pytest.mark.parametrize("cpus", ["-4", "four", "9" * 40, "1e3"])
def test_environment__what_is_no_number_is_not_known(cpus):
    assert read(HOST | {"cpus": cpus}).cpus == 0


def test_environment__long_facts_are_cut():
    assert read(HOST | {"kernel": "x" * 5000}).kernel == "x" * 200


def test_environment__stays_that_of_each_job_when_verdicts_are_merged():
    jobs = [verdict(scenario(name, environment=read(HOST | {"cpu_model": name}))) for name in ("a", "b")]
    merged = merge_verdicts(["a", "b"], jobs, jobs={})
    assert [each.environment.cpu_model for each in merged.scenarios] == ["a", "b"]


@pytest.mark.parametrize("forged", [{"cpus": -1}, {"kernel": "x" * 201}, {"more": 1}])
def test_environment__forged_is_refused(forged):
    text = encode_verdict(verdict(scenario(environment=read(HOST))))
    document = msgspec.json.decode(text)
    document["scenarios"][0]["environment"] |= forged
    with pytest.raises(EvidenceError):
        decode_verdict(msgspec.json.encode(document))


def test_host__is_described_as_linux_and_github_say(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: {EPYC}\n")
    hosted = describe_host({"ImageOS": "ubuntu24", "ImageVersion": "20261110.1.0"}, info)
    assert (hosted["cpu_model"], hosted["image"], hosted["image_version"]) == (
        EPYC,
        "ubuntu24",
        "20261110.1.0",
    )
    own = describe_host({}, tmp_path / "none")
    assert own["image"]
    assert not own["image_version"]
    assert int(own["cpus"]) > 0
