# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest limit over a process's control group and all its ancestors, in both versions."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup

MB = 1 << 20
V2 = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "31 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 1 0:28 / /x rw - cgroup cgroup rw,cpu\n"


def host(mounts, member, **files):
    """Make sources of a host: "a/b__memory.max" is the file memory.max of group a/b."""
    return {
        "/proc/self/mountinfo": mounts,
        "/proc/self/cgroup": member,
        **{f"/sys/fs/cgroup/{name.replace('__', '/')}": text for name, text in files.items()},
    }


def test_the_files_of_the_own_group_come_before_those_of_its_ancestors():
    found = cgroup.paths(host(V2, "0::/a.slice/b.service\n"))
    assert found[: len(cgroup.FILES[2])] == [f"/sys/fs/cgroup/a.slice/b.service/{name}" for name in cgroup.FILES[2]]
    assert found[-1] == f"/sys/fs/cgroup/{cgroup.FILES[2][-1]}"
    assert len(found) == 3 * len(cgroup.FILES[2])


def test_the_smallest_limit_of_all_ancestors_holds():
    sources = host(
        V2,
        "0::/a/b\n",
        **{
            "a/b__memory.max": "max\n",
            "a/b__memory.current": f"{10 * MB}\n",
            "a__memory.max": f"{100 * MB}\n",
            "a__memory.current": f"{60 * MB}\n",
            "a__memory.stat": f"anon 5\ninactive_file {15 * MB}\nactive_file {5 * MB}\n",
            "a__memory.swap.max": f"{MB}\n",
            "a__memory.swap.current": "4096\n",
            "memory.max": f"{200 * MB}\n",
            "memory.current": "1\n",
        },
    )
    assert cgroup.memory_ceiling(sources) == {
        "version": 2,
        "path": "/sys/fs/cgroup/a",
        "limit_bytes": 100 * MB,
        "used_bytes": 40 * MB,
        "usage_bytes": 60 * MB,
        "available_bytes": 60 * MB,
        "swap_limit_bytes": MB,
        "swap_used_bytes": 4096,
    }


def test_version_1_counts_memory_and_swap_together():
    sources = host(
        V1,
        "5:cpu,cpuacct:/c\n4:memory:/a\n",
        **{
            "memory/a__memory.limit_in_bytes": f"{100 * MB}\n",
            "memory/a__memory.usage_in_bytes": f"{30 * MB}\n",
            "memory/a__memory.memsw.limit_in_bytes": f"{150 * MB}\n",
            "memory/a__memory.memsw.usage_in_bytes": f"{31 * MB}\n",
            "memory__memory.limit_in_bytes": "9223372036854771712\n",
            "memory__memory.usage_in_bytes": "1\n",
        },
    )
    found = cgroup.memory_ceiling(sources)
    assert (found["version"], found["limit_bytes"]) == (1, 100 * MB)
    assert (found["swap_limit_bytes"], found["swap_used_bytes"]) == (50 * MB, MB)


def test_a_group_that_uses_more_than_its_limit_has_nothing_left():
    sources = host(V2, "0::/\n", **{"memory.max": "4096\n", "memory.current": "8192\n"})
    assert cgroup.memory_ceiling(sources)["available_bytes"] == 0


@pytest.mark.parametrize(
    ("limit", "usage"), [("max\n", "1\n"), ("", "1\n"), ("x", "1\n"), ("4096\n", ""), ("9" * 25, "1"), ("-5\n", "1")]
)
def test_without_a_limit_there_is_no_ceiling(limit, usage):
    sources = host(V2, "0::/\n", **{"memory.max": limit, "memory.current": usage})
    assert cgroup.memory_ceiling(sources) is None


def test_a_container_that_sees_the_path_on_its_host_is_at_the_root_of_its_mount():
    mounts = "30 1 0:26 /machine/one /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    sources = host(mounts, "0::/machine/one\n", **{"memory.max": "4096\n", "memory.current": "1\n"})
    assert cgroup.memory_ceiling(sources)["path"] == "/sys/fs/cgroup"


@pytest.mark.parametrize(
    ("member", "files", "kills"),
    [
        ("0::/a\n", {"a__memory.events": "oom_kill 1\n", "memory.events": "low 0\noom_kill 7\n"}, 7),
        ("0::/a\n", {"a__memory.events": "oom_kill 1\n"}, 1),
        ("0::/a\n", {"memory.events": "oom_kill 0\n"}, 0),
        ("0::/a\n", {}, None),
    ],
)
def test_kills_of_the_outermost_group(member, files, kills):
    assert cgroup.oom_kills(host(V2, member, **files)) == kills


def test_a_zero_of_version_1_says_nothing_of_the_groups_below():
    sources = host(V1, "4:memory:/a\n", **{"memory__memory.oom_control": "oom_kill 0\n"})
    assert cgroup.oom_kills(sources) is None
    sources["/sys/fs/cgroup/memory/a/memory.oom_control"] = "oom_kill_disable 0\noom_kill 2\n"
    assert cgroup.oom_kills(sources) == 2


@given(st.text(), st.text(), st.text())
def test_no_text_makes_it_raise(mounts, member, text):
    for sources in (host(mounts, member), host(V2 + mounts, "0::/\n" + member)):
        for path in cgroup.paths(sources):
            sources[path] = text
        cgroup.memory_ceiling(sources)
        cgroup.oom_kills(sources)
