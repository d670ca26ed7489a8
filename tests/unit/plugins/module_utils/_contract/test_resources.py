# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that parsers return the declared shape for extreme sources."""

from __future__ import annotations

from shapes import violations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract import resources
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import deleted, facts as disk_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import fds, memory, pressure


def test_memory_with_a_ceiling():
    sources = {
        "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 300 kB\nHugepagesize: 2048 kB\nHugePages_Total: 3\n",
        "/proc/self/mountinfo": "1 0 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": "512000\n",
        "/sys/fs/cgroup/memory.current": "1000\n",
        "/sys/fs/cgroup/memory.swap.max": "max\n",
    }
    found = memory.parse(sources)
    assert violations(found, resources.Memory) == []
    assert found["cgroup"]["limit_bytes"] == 512000


def test_a_file_system_that_answers_and_one_that_hangs():
    sources = {
        "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /nas rw - nfs4 nas:/x rw\n",
        "statfs": "4096 4096 100 50 40 1000 900 /\nhung /nas\n",
    }
    found = disk_facts.parse(sources)
    found["deleted"] = deleted.parse("8:7 4096 12 - ruby / /tmp/x\n- - - - loop0 / /image\nunreadable 3\n")
    assert violations(found, resources.Disks) == []
    assert [disk["hung"] for disk in found["filesystems"]] == [False, True]
    assert len(found["deleted"]["files"]) == 2


def test_descriptors_with_kinds(box):
    sources = box("seed-sockets")
    found = fds.parse(sources, top=3)
    for holder in found["processes"]:
        holder["kinds"] = fds.kinds(["/dev/null", "socket:[5]"])
    assert violations(found, resources.Fds) == []


def test_pressure_between_two_readings():
    earlier = {"/proc/uptime": "10.00 5.00\n", "/proc/stat": "cpu  1 0 0 9 0 0 0 0 0 0\ncpu0 1 0 0 9\nctxt 5\n"}
    later = {"/proc/uptime": "20.00 5.00\n", "/proc/stat": "cpu  2 0 0 18 0 0 0 0 0 0\ncpu0 2 0 0 18\nctxt 9\n"}
    found = pressure.parse(later, earlier)
    assert violations(found, resources.Pressure) == []
    assert found["context_switches_per_second"] == 0.4
