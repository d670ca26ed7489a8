# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of a host's resources, from facts of parsed sources."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import resources


def facts(sources):
    return probe_facts.parse(sources, 3600)


def samples(families):
    assert len({family.name for family in families}) == len(families)
    return {family.name: family.samples for family in families}


def test_memory_is_in_bytes_and_shares_are_ratios():
    sources = {"/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 250 kB\nSwapTotal: 8 kB\n"}
    found = samples(resources.memory_families(facts(sources)["lifeline_memory"]))
    assert found["lifeline_memory_total_bytes"] == [({}, 1024000)]
    assert found["lifeline_memory_available_ratio"] == [({}, 0.25)]
    assert found["lifeline_memory_available_estimated"] == [({}, False)]
    assert found["lifeline_memory_cgroup_limit_bytes"] == []
    assert found["lifeline_swap_total_bytes"] == [({}, 8192)]
    assert "lifeline_memory_available_percent" not in found


def test_unknown_memory_has_no_values():
    found = samples(resources.memory_families(facts({})["lifeline_memory"]))
    assert found["lifeline_memory_total_bytes"] == [({}, None)]


def test_a_file_system_is_labelled_and_its_inodes_are_no_counter():
    sources = {
        "/proc/self/mountinfo": "20 1 8:1 / / rw,relatime - ext4 /dev/vda1 rw\n21 20 0:9 / /mnt rw - nfs4 host:/x rw\n",
        "statfs": "hung /mnt\n",
    }
    found = samples(resources.filesystem_families(facts(sources)["lifeline_disks"]["filesystems"]))
    remote = {"mountpoint": "/mnt", "device": "host:/x", "fstype": "nfs4"}
    assert (remote, True) in found["lifeline_filesystem_hung"]
    assert (remote, None) in found["lifeline_filesystem_size_bytes"]
    assert "lifeline_filesystem_inodes" in found and "lifeline_filesystem_inodes_total" not in found


def test_descriptors_of_the_system():
    found = samples(resources.fd_families(facts({"/proc/sys/fs/file-nr": "900\t0\t1000\n"})["lifeline_fds"]))
    assert found["lifeline_fds_allocated"] == [({}, 900)]
    assert found["lifeline_fds_used_ratio"] == [({}, 0.9)]
    assert found["lifeline_process_fds_open"] == []


def test_oom_kills():
    oom = facts({"/proc/vmstat": "oom_kill 7\n"})["lifeline_oom"]
    (total, recent, window) = resources.oom_families(oom, 2, 3600.0)
    assert (total.kind, total.samples) == ("counter", [({}, 7)])
    assert (recent.samples, window.samples) == ([({}, 2)], [({}, 3600.0)])


def test_load_and_stalled_tasks():
    sources = {
        "/proc/loadavg": "1.0 2.0 3.0 4/300 5\n",
        "/proc/pressure/memory": "some avg10=1.00 avg60=50.00 avg300=1.00 total=2500000\n"
        "full avg10=1.00 avg60=25.00 avg300=1.00 total=1000000\n",
    }
    found = samples(resources.pressure_families(facts(sources)["lifeline_pressure"]))
    assert found["lifeline_load"] == [({"window": "1m"}, 1.0), ({"window": "5m"}, 2.0), ({"window": "15m"}, 3.0)]
    assert ({"resource": "memory", "tasks": "full"}, 0.25) in found["lifeline_pressure_ratio"]
    assert ({"resource": "memory", "tasks": "some"}, 2.5) in found["lifeline_pressure_seconds_total"]
