# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of each parser grows no faster than the length of the text that a host sends."""

from __future__ import annotations

import pytest
from growth import LIMIT, growth

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import deleted, facts as disk_facts, mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    cgroup,
    listeners,
    maps,
    memory,
    mountinfo,
    pressure,
    processes,
    sockets,
    stat,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

MOUNT = "{} {} 8:{} / {} rw - ext4 /dev/sda1 rw\n"
LISTENS = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1\n"
ROW = "7 (a) S {} 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 {} 1 1 1 1 1\n"


def mounted(text):
    mountinfo.parse.cache_clear()
    found = mountinfo.parse(text)
    mounts.file_systems(found)
    mounts.guarded(found)


def listening(sources):
    listeners.parse(sources, expected=["ssh.service"])


def table(number, parent):
    sources = {f"/proc/{pid}/stat": ROW.format(parent(pid), pid) for pid in range(1, number + 1)}
    sources.update((f"/proc/{pid}/cgroup", f"0::/user.slice/{pid}.scope\n") for pid in range(1, number + 1))
    return sources


def sockets_of(number):
    """Make a host with one socket for each process, each process below the one before."""
    sources = table(number, lambda pid: pid - 1)
    sources["/proc/net/tcp"] = "".join(LISTENS.format(pid) for pid in range(1, number + 1))
    sources["sockets"] = "".join(f"{pid} {pid}\n" for pid in range(1, number + 1))
    return sources


CASES = {
    "blanks in a limit": (processes.parse_limits, lambda size: "Max open files" + " " * size + "x\n", 4000),
    "words in a limit": (processes.parse_limits, lambda size: "Max" + " a" * size + " 1 2 files\n", 4000),
    "lines of limits": (processes.parse_limits, lambda size: "Max open files 1 2 files\n" * size, 5000),
    "parentheses in a name": (stat.parse, lambda size: "1 (" + ") (" * size + " S 1", 4000),
    "mounts on each other": (
        mounted,
        lambda size: "".join(MOUNT.format(n + 2, n + 1, n, "/a") for n in range(size)),
        500,
    ),
    "mounts inside each other": (
        mounted,
        lambda size: "".join(MOUNT.format(n + 2, n + 1, n, "/a" * (n % 100)) for n in range(size)),
        500,
    ),
    "a path of many parts": (mounted, lambda size: MOUNT.format(2, 1, 1, "/a" * size), 4000),
    "mounts without a line break": (mounted, lambda size: "1 1 8:1 / /a rw -" + " ext4" * size, 4000),
    "mount points of many lines": (
        disk_facts.parse,
        lambda size: {
            "/proc/self/mountinfo": "".join(MOUNT.format(n + 2, 1, n, f"/a\\012{n}") for n in range(size)),
            "statfs": "hung /a\n" * size,
        },
        500,
    ),
    "holders of a deleted file": (
        deleted.parse,
        lambda size: "".join(f"1:1 4096 {n} 5 ruby / /x\n" for n in range(size)),
        1000,
    ),
    "blanks in cpu times": (
        pressure.parse,
        lambda size: {"/proc/stat": "cpu " + " " * size + "x", "/proc/uptime": "1.00 1.00\n"},
        4000,
    ),
    "blanks in meminfo": (memory.parse, lambda size: {"/proc/meminfo": "MemTotal: 1" + " " * size + "x\n"}, 4000),
    "a control group of many parts": (
        cgroup.paths,
        lambda size: {
            "/proc/self/cgroup": "0::" + "/a" * size,
            "/proc/self/mountinfo": "1 1 0:1 / /c rw - cgroup2 c rw\n",
        },
        4000,
    ),
    "mappings": (maps.parse, lambda size: "00400000-00452000 r-xp 0 08:02 1 " + " " * size + "\nRss: 1 kB\n", 4000),
    "rows of sockets": (
        lambda text: sockets.parse({"/proc/net/tcp": text}, 4096),
        lambda size: " " * size + "1: " + "0" * size,
        4000,
    ),
    "properties of a unit": (units.parse_show, lambda size: "Listen=/run/socket (Stream)\n" * size, 2000),
    "slashes in the storage of a cache": (
        lambda words: listeners.cache_bytes("varnishd", words),
        lambda size: ["-s", "malloc," + "/" * size],
        4000,
    ),
    "owners of a file": (
        listening,
        lambda size: {"packages": "bash" + ", a" * size + "\n" + "bash, " + "a, " * size},
        4000,
    ),
    "sockets of processes below each other": (listening, sockets_of, 400),
    "processes below each other": (
        facts.process_table,
        lambda size: table(size, lambda pid: pid - 1),
        1000,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_four_times_the_text_takes_no_more_than_about_four_times_as_long(name):
    parse, make, size = CASES[name]
    assert growth(parse, make, size) < LIMIT
