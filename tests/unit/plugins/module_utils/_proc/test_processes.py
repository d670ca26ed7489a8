# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import subprocess

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import maps as proc_maps, page_size, processes

STAT = (
    "%d (%s) S %d 1 1 0 -1 4194560 3243 46863 0 0 500 25 182 21 20 0 31 0 150000 9857794048 2182647 "
    "18446744073709551615 1 1 0 0 0"
)
SYSTEM = {"/proc/stat": "btime 1790000000\n", "/proc/uptime": "2500.50 4000.00\n"}


def process(pid, name="ruby", ppid=1, command_line=None):
    sources = {f"/proc/{pid}/stat": STAT % (pid, name, ppid)}
    if command_line is not None:
        sources[f"/proc/{pid}/cmdline"] = command_line
    return sources


def test_one_process_of_the_table():
    sources = dict(SYSTEM, **process(25910, command_line="sidekiq 7.3.2 crawler [5 of 25 busy]\0\0\0"))
    sources["/proc/25910/oom_score_adj"] = "500\n"
    sources["/proc/25910/limits"] = "Max open files            1024                 524288               files     \n"
    assert processes.parse_table(sources) == {
        25910: {
            "pid": 25910,
            "ppid": 1,
            "name": "ruby",
            "state": "S",
            "nice": 0,
            "threads": 31,
            "rss_bytes": 2182647 * 4096,
            "virtual_bytes": 9857794048,
            "cpu_seconds": 5.25,
            "age_seconds": 1000.5,
            "started_seconds": 1500.0,
            "kernel_thread": False,
            "command_line": "sidekiq 7.3.2 crawler [5 of 25 busy]",
            "oom_score_adj": 500,
            "fd_soft_limit": 1024,
            "fd_hard_limit": 524288,
        }
    }


@pytest.mark.parametrize(
    "name", ["Web Content", "a) b:(c, d", "((paren))", "line\nbreak", "[ 1] 2 3", ") S 1 2", "", "x,pid=1,uid=2"]
)
def test_a_name_may_hold_anything(name):
    found = processes.parse_table(process(7, name))[7]
    assert (found["name"], found["ppid"], found["threads"]) == (name.replace("\n", "\\x0a"), 1, 31)


def test_what_could_not_be_read_is_unknown():
    found = processes.parse_table(process(7))[7]
    assert found["command_line"] is None
    assert found["oom_score_adj"] is None
    assert found["fd_soft_limit"] is None
    assert found["age_seconds"] is None


def test_a_worker_is_its_topmost_processes_and_all_below_them():
    sources = {}
    for pid, ppid, command_line in (
        (1, 0, "init"),
        (10, 1, "sidekiq 7"),
        (11, 10, "sidekiq 7 child"),
        (12, 11, "phantomjs"),
        (20, 1, "sidekiq 7 other"),
        (30, 1, "sh"),
        (31, 30, "vim sidekiq.yml"),
    ):
        sources.update(process(pid, ppid=ppid, command_line=command_line))
    table = processes.parse_table(sources)
    topmost = processes.match(table, re.compile("^sidekiq"))
    assert topmost == {10, 20}
    assert processes.tree(table, topmost) == {10, 11, 12, 20}


def test_a_circle_of_parents_comes_to_an_end():
    table = processes.parse_table(dict(process(5, ppid=6), **process(6, ppid=5)))
    assert processes.tree(table, [5]) == {5, 6}
    assert processes.tree(table, [99]) == set()


def test_processes_without_a_command_line_are_found_by_name():
    table = processes.parse_table(dict(process(5, "kswapd0", command_line=""), **process(6, "kswapd0")))
    assert processes.match(table, re.compile("^kswapd")) == {5, 6}


def test_chosen_by_name_number_or_pattern():
    table = processes.parse_table(dict(process(5, "a", command_line="x y"), **dict(process(6, "b"), **process(7, "c"))))
    assert processes.choose(table, ["b"], [], None) == [6]
    assert processes.choose(table, [], [7, 99], "x y") == [5, 7]
    assert processes.choose(table, [], [], None) == []


DETAILS = {
    "/proc/7/status": "Name:\truby\nUid:\t1000\t999\t999\t999\nVmHWM:\t  900 kB\nVmSwap:\t  12 kB\n",
    "/proc/7/cgroup": "3:memory:/x\n1:name=systemd:/system.slice/sidekiq.service\n0::/\n",
    "/proc/7/oom_score": "979\n",
    "/proc/7/smaps_rollup": "55-7f ---p 00000000 00:00 0  [rollup]\nRss:  800 kB\nPss:  700 kB\nPss_Dirty: 3 kB\n",
    "/proc/7/limits": "Limit   Soft Limit  Hard Limit  Units\n"
    "Max address space         unlimited            unlimited            bytes     \n"
    "Max open files            1024                 524288               files     \n"
    "Max nice priority         0       0   \n",
}


def test_details_of_a_chosen_process():
    sources = dict(SYSTEM, **dict(process(7), **DETAILS))
    facts = processes.details(processes.parse_table(sources)[7], sources, {999: "crawler"})
    assert (facts["uid"], facts["user"], facts["unit"]) == (999, "crawler", "sidekiq.service")
    assert (facts["rss_peak_bytes"], facts["pss_bytes"], facts["swap_bytes"], facts["oom_score"]) == (
        921600,
        716800,
        12288,
        979,
    )
    assert facts["limits"] == {
        "address_space": {"soft": None, "hard": None},
        "open_files": {"soft": 1024, "hard": 524288},
        "nice_priority": {"soft": 0, "hard": 0},
    }
    assert facts["started"] == "2026-09-21T14:38:20Z"


def test_details_have_the_same_keys_where_nothing_may_be_read():
    table = processes.parse_table(process(7))
    nothing = processes.details(table[7], {}, {})
    everything = processes.details(table[7], dict(SYSTEM, **DETAILS), {})
    assert set(nothing) == set(everything)
    assert nothing["pss_bytes"] is nothing["uid"] is nothing["unit"] is nothing["started"] is None


SMAPS = """\
55d0-55d1 r--p 00000000 fe:00 260386                     /usr/bin/ruby 3.1
Size:                  8 kB
Rss:                   4 kB
Pss:                   2 kB
Private_Dirty:         1 kB
Private_Clean:         1 kB
Swap:                  0 kB
55d2-55d3 rw-p 00002000 fe:00 260386                     /usr/bin/ruby 3.1
Size:                  8 kB
Rss:                   8 kB
Pss:                   8 kB
Swap:                  4 kB
VmFlags: rd wr mr
7f00-7f01 rw-p 00000000 00:00 0                          [heap]
Size:               1000 kB
Rss:                 900 kB
7f02-7f03 rw-p 00000000 00:00 0
Size:                 10 kB
Rss:                  10 kB
7f04-7f05 rw-p 00000000 00:00 0                          [anon:glibc: malloc]
Size:                 10 kB
Rss:                  20 kB
7ff0-7ff1 rw-p 00000000 00:00 0                          [stack]
Size:                132 kB
Rss:                  16 kB
7ff2-7ff3 r-xp 00000000 00:00 0                          [vdso]
Size:                  4 kB
Rss:                   0 kB
"""


def test_memory_by_mapping_the_most_resident_first():
    maps = proc_maps.parse(SMAPS)
    assert [(group["name"], group["kind"], group["mappings"], group["rss_bytes"] // 1024) for group in maps] == [
        ("[heap]", "heap", 1, 900),
        ("[anonymous]", "anonymous", 2, 30),
        ("[stack]", "stack", 1, 16),
        ("/usr/bin/ruby 3.1", "file", 2, 12),
        ("[vdso]", "kernel", 1, 0),
    ]
    assert maps[3] == {
        "name": "/usr/bin/ruby 3.1",
        "kind": "file",
        "mappings": 2,
        "size_bytes": 16384,
        "rss_bytes": 12288,
        "pss_bytes": 10240,
        "private_bytes": 2048,
        "swap_bytes": 4096,
    }


def test_this_very_process_as_ps_shows_it():
    sources = _reader.read_files(page_size.SOURCES + processes.SOURCES)
    _reader.read_files(_reader.process_paths(processes.TABLE_FILES + processes.DETAIL_FILES, [os.getpid()]), sources)
    facts = processes.details(processes.parse_table(sources)[os.getpid()], sources, {})
    shown = subprocess.run(
        ["ps", "-o", "ppid=,uid=,nlwp=,comm=", "-p", str(os.getpid())], stdout=subprocess.PIPE, check=True
    )
    ppid, uid, threads, name = shown.stdout.decode().split(None, 3)
    assert (facts["ppid"], facts["uid"], facts["threads"]) == (int(ppid), int(uid), int(threads))
    assert facts["name"] == name.strip()
    assert facts["rss_bytes"] > 1 << 20


PATHS = st.sampled_from(
    [*SYSTEM, *DETAILS, "/proc/7/stat", "/proc/7/cmdline", "/proc/7/oom_score_adj", "/proc/self/smaps"]
)


@given(
    st.dictionaries(PATHS, st.text() | st.sampled_from([*DETAILS.values(), STAT % (7, "x", 1), STAT % (7, ") 1", 7)])),
    st.text(),
)
def test_no_text_makes_it_raise(sources, maps):
    table = processes.parse_table(sources)
    processes.match(table, re.compile("x"))
    processes.tree(table, table)
    for entry in table.values():
        processes.details(entry, sources, {})
    proc_maps.parse(maps)
