# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, memory as memory_facts

KB = 1024


def test_the_seed_crawler_on_a_kernel_without_memavailable(box):
    memory = memory_facts.parse(box("seed-crawler"))
    # free -t on that box: total 15666140, free 6102364, shared 380, buffers 167416, cached 430584, no swap.
    assert memory["total_bytes"] == 15666140 * KB
    assert memory["free_bytes"] == 6102364 * KB
    assert memory["shared_bytes"] == 380 * KB
    assert memory["buffers_bytes"] == 167416 * KB
    assert memory["cached_bytes"] == 430584 * KB
    assert memory["swap"] == {
        "total_bytes": 0,
        "free_bytes": 0,
        "used_bytes": 0,
        "used_percent": None,
        "cached_bytes": 0,
        "compressed": None,
    }
    assert memory["available_estimated"] is True
    # free - low + (cache - low) + (slab - half of it, less than low), with low = 67584 * 5 / 4.
    assert memory["available_bytes"] == (6102364 - 84480 + 596620 - 84480 + 81000 - 40500) * KB
    assert memory["cgroup"] is None
    assert memory["limit_bytes"] == memory["total_bytes"]


def test_the_kernels_own_estimate_is_taken_even_when_it_is_zero():
    memory = memory_facts.parse({"/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 40 kB\nMemAvailable: 0 kB\n"})
    assert memory["available_bytes"] == 0
    assert memory["available_estimated"] is False
    assert memory["used_bytes"] == 1000 * KB


def test_a_leak_in_the_kernel_shows_as_unreclaimable_slab():
    memory = memory_facts.parse(
        {
            "/proc/meminfo": "MemTotal: 503000 kB\nMemFree: 7648 kB\nMemAvailable: 9000 kB\nSlab: 402400 kB\n"
            "SReclaimable: 0 kB\nSUnreclaim: 402400 kB\n"
        }
    )
    assert memory["slab_unreclaimable_percent"] == 80.0
    assert memory["slab_reclaimable_bytes"] == 0


def test_memory_that_nothing_accounts_for():
    memory = memory_facts.parse(
        {
            "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 100 kB\nAnonPages: 200 kB\n"
            "Buffers: 10 kB\nCached: 90 kB\nSlab: 50 kB\nHugetlb: 100 kB\n"
        }
    )
    assert memory["unaccounted_bytes"] == 450 * KB


def test_the_same_keys_on_every_box(box):
    nothing = memory_facts.parse({})
    something = memory_facts.parse(box("seed-crawler"))
    assert set(nothing) == set(something)
    assert set(nothing["swap"]) == set(something["swap"])
    assert all(nothing[key] is None for key in nothing if key.endswith("_bytes"))


V2 = {
    "/proc/meminfo": "MemTotal: 16000000 kB\nMemFree: 9000000 kB\nMemAvailable: 10000000 kB\n",
    "/proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    "/proc/self/cgroup": "0::/system.slice/ssh.service\n",
    "/sys/fs/cgroup/system.slice/ssh.service/memory.max": "max\n",
    "/sys/fs/cgroup/system.slice/ssh.service/memory.current": "1000\n",
    "/sys/fs/cgroup/system.slice/memory.max": "2000000000\n",
    "/sys/fs/cgroup/system.slice/memory.current": "700000000\n",
    "/sys/fs/cgroup/memory.max": "1000000000\n",
    "/sys/fs/cgroup/memory.current": "900000000\n",
    "/sys/fs/cgroup/memory.stat": "anon 500\ninactive_file 250000000\nactive_file 7\n",
    "/sys/fs/cgroup/memory.swap.max": "0\n",
    "/sys/fs/cgroup/memory.swap.current": "0\n",
}


def test_the_smallest_limit_over_the_ancestors_is_the_ceiling():
    memory = memory_facts.parse(V2)
    assert memory["cgroup"] == {
        "version": 2,
        "path": "/sys/fs/cgroup",
        "limit_bytes": 1000000000,
        "used_bytes": 649999993,
        "usage_bytes": 900000000,
        "available_bytes": 350000007,
        "swap_limit_bytes": 0,
        "swap_used_bytes": 0,
    }
    assert memory["limit_bytes"] == 1000000000
    assert memory["limit_available_percent"] == 35.0
    assert memory["total_bytes"] == 16000000 * KB


def test_a_box_whose_ram_runs_out_first_has_no_more_than_that():
    memory = memory_facts.parse(dict(V2, **{"/proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 100 kB\n"}))
    assert memory["limit_available_bytes"] == 100 * KB


def test_a_limit_above_the_ram_is_no_ceiling():
    assert (
        memory_facts.parse(dict(V2, **{"/proc/meminfo": "MemTotal: 900000 kB\nMemAvailable: 5 kB\n"}))["cgroup"] is None
    )


V1 = {
    "/proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 10000000 kB\n",
    "/proc/self/mountinfo": "31 23 0:27 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
    "/proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n0::/docker/abc\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "419430400\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "300000000\n",
    "/sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100000000\n",
    "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes": "519430400\n",
    "/sys/fs/cgroup/memory/memory.memsw.usage_in_bytes": "310000000\n",
}


def test_version_one_in_a_container_that_sees_the_hosts_path():
    ceiling = memory_facts.parse(V1)["cgroup"]
    assert (ceiling["version"], ceiling["path"]) == (1, "/sys/fs/cgroup/memory")
    assert (ceiling["limit_bytes"], ceiling["used_bytes"]) == (419430400, 200000000)
    assert (ceiling["swap_limit_bytes"], ceiling["swap_used_bytes"]) == (100000000, 10000000)


def test_version_ones_word_for_unlimited():
    unlimited = dict(V1, **{"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"})
    assert memory_facts.parse(unlimited)["cgroup"] is None


def test_the_files_to_read_lie_on_the_way_up():
    folders = [path.rsplit("/", 1)[0] for path in cgroup.paths(V2) if path.endswith("/memory.max")]
    assert folders == ["/sys/fs/cgroup/system.slice/ssh.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]


@given(
    st.dictionaries(
        st.sampled_from([*V1, *V2, *memory_facts.SOURCES]), st.text() | st.sampled_from([*V1.values(), *V2.values()])
    )
)
def test_no_text_makes_it_raise(sources):
    cgroup.paths(sources)
    memory_facts.parse(sources)


@pytest.mark.parametrize(
    ("devices", "compressed"),
    [((), None), (("/dev/zram0", "/dev/zram1"), True), (("/dev/zram0", "/swap.img"), False)],
)
def test_compressed_memory_is_told_from_a_disk(devices, compressed):
    lines = ["Filename\t\t\tType\t\tSize\tUsed\tPriority", *(f"{name} partition 1048572 0 100" for name in devices)]
    assert memory_facts.parse({"/proc/swaps": "\n".join(lines) + "\n"})["swap"]["compressed"] is compressed


def test_the_cache_of_zfs_under_lxcfs_is_the_machines():
    sources = {
        "/proc/meminfo": "MemTotal: 2097152 kB\nMemAvailable: 104857 kB\n",
        "/proc/spl/kstat/zfs/arcstats": "size 4 40000000000\nc_min 4 1000000000\n",
    }
    assert memory_facts.parse(sources)["limit_available_percent"] == 100.0
    contained = {**sources, "/run/systemd/container": "lxc\n"}
    assert memory_facts.parse(contained)["limit_available_percent"] == 5.0
