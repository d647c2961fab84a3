"""Quotas read from copies of what Linux shows: both versions of control groups, in and around containers."""

from __future__ import annotations

import pytest

from ci_gate.measure.cgroup import CpuQuota, GroupUse, read_cpu_quota, read_group_use

V1_STAT = "nr_periods 40\nnr_throttled 12\nthrottled_time 2500000000\n"
V2_STAT = (
    "usage_usec 900\nuser_usec 500\nsystem_usec 400\nnr_periods 40\nnr_throttled 12\nthrottled_usec 2500000\n"
)


@pytest.fixture
def write(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def v1(folder, quota_us, stat=V1_STAT):
    folder = f"sys/fs/cgroup/{folder}"
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota_us}\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
        f"{folder}/cpu.stat": stat,
    }


def v2(folder, quota, stat=V2_STAT):
    return {f"sys/fs/cgroup/{folder}/cpu.max": f"{quota} 100000\n", f"sys/fs/cgroup/{folder}/cpu.stat": stat}


def test_v1__the_containers_quota(write):
    groups = "11:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n"
    root = write({"proc/7/cgroup": groups, **v1("cpu,cpuacct/docker/abc", 150_000), **v1("cpu,cpuacct", -1)})
    assert read_cpu_quota(7, root) == CpuQuota(cpus=1.5, throttled_s=2.5)


def test_v1__mounted_by_the_controllers_own_name(write):
    root = write({"proc/7/cgroup": "4:cpuacct,cpu:/docker/abc\n", **v1("cpu/docker/abc", 50_000)})
    assert read_cpu_quota(7, root) == CpuQuota(cpus=0.5, throttled_s=2.5)


def test_v2__the_containers_quota(write):
    scope = "system.slice/docker-abc.scope"
    root = write({"proc/7/cgroup": f"0::/{scope}\n", **v2(scope, "200000"), **v2("system.slice", "max")})
    assert read_cpu_quota(7, root) == CpuQuota(cpus=2, throttled_s=2.5)


def test_v2__the_tightest_of_those_around_counts(write):
    pod = "kubepods/pod1"
    throttled = V2_STAT.replace("throttled_usec 2500000", "throttled_usec 700000")
    root = write(
        {
            "proc/7/cgroup": f"0::/{pod}/container\n",
            **v2(f"{pod}/container", "400000"),
            **v2(pod, "100000", throttled),
        }
    )
    assert read_cpu_quota(7, root) == CpuQuota(cpus=1, throttled_s=0.7)


def test_v2__seen_from_inside_its_own_namespace(write):
    root = write({"proc/7/cgroup": "0::/\n", **v2("", "50000")})
    assert read_cpu_quota(7, root) == CpuQuota(cpus=0.5, throttled_s=2.5)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/7/cgroup": ""},
        {"proc/7/cgroup": "0::/user.slice\n", **v2("user.slice", "max")},
        {"proc/7/cgroup": "4:cpu:/\n", **v1("cpu", -1)},
        {"proc/7/cgroup": "0::/../outside\n", **v2("outside", "50000")},
        {"proc/7/cgroup": "0::/gone\n", "sys/fs/cgroup/cpu.stat": V2_STAT},
        {"proc/7/cgroup": "0::/a\n", **v2("a", "50000", "nr_periods 0\n")},
        {"proc/7/cgroup": "0::/a\n", **v2("a", "half")},
        {"proc/7/cgroup": "4:memory:/a\n", **v1("cpu/a", 50_000)},
    ],
)
def test_no_quota__is_none(write, files):
    assert read_cpu_quota(7, write(files)) is None


def used_v1(folder, own):
    return {
        f"sys/fs/cgroup/cpu,cpuacct/{folder}/cpuacct.usage": "2500000000\n",
        f"sys/fs/cgroup/memory/{folder}/memory.stat": "cache 900000\nrss 5\ntotal_rss 4096\n",
        "proc/7/cgroup": f"4:cpu,cpuacct:/{folder}\n3:memory:/{folder}\n",
        "proc/self/cgroup": f"4:cpu,cpuacct:/{own}\n3:memory:/{own}\n",
    }


def used_v2(folder, own):
    return {
        f"sys/fs/cgroup/{folder}/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
        f"sys/fs/cgroup/{folder}/memory.stat": "anon 4096\nfile 900000\n",
        "proc/7/cgroup": f"0::/{folder}\n",
        "proc/self/cgroup": f"0::/{own}\n",
    }


@pytest.mark.parametrize("used", [used_v1, used_v2])
def test_use__of_the_containers_group_without_cached_files(write, used):
    assert read_group_use(7, write(used("docker/a", "user"))) == GroupUse(cpu_s=2.5, memory_bytes=4096)


@pytest.mark.parametrize("used", [used_v1, used_v2])
def test_use__of_our_own_group_is_not_the_services(write, used):
    assert read_group_use(7, write(used("docker/a", "docker/a"))) is None


def test_use__of_a_group_that_is_gone_is_unknown(write):
    files = {name: text for name, text in used_v2("docker/a", "b").items() if "memory.stat" not in name}
    assert read_group_use(7, write(files)) is None
