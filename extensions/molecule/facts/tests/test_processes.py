# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare process_facts with ps and pmap."""

from __future__ import annotations

import pytest

testinfra_hosts = ["ansible://facts_plain", "ansible://facts_leak"]

MIB = 1 << 20
PS = "ps --no-headers -o ppid,user:32,nlwp,vsz,rss,etimes,comm:32 -p "


@pytest.fixture
def worker(told):
    """Return the pid and the user of the worker, or of journald on a box without a worker."""
    return min(
        (int(pid), user)
        for pid, user, name in told("ps --no-headers -eo pid,user:32,comm:32 --sort=-rss")
        if name in ("sidekiq", "systemd-journal")
    )


def test_a_process_has_the_values_of_ps(facts, told, worker, way, between):
    pid, _user = worker

    def ps():
        ((ppid, user, threads, virtual, rss, age, name),) = told(PS + str(pid))
        return (int(ppid), user, int(threads), name), int(virtual) * 1024, int(rss) * 1024, int(age)

    (fixed, *before), processes, (_fixed, *after) = ps(), facts("process", way, pid=[pid]), ps()
    (process,) = processes["processes"]
    assert process["pid"] == pid
    assert (process["ppid"], process["user"], process["threads"], process["name"]) == fixed
    # journald maps and unmaps its files in steps of 8 MB.
    for key, least, most, slack in zip(
        ("virtual_bytes", "rss_bytes", "age_seconds"), before, after, (16 * MIB, 2 * MIB, 2)
    ):
        assert between(process[key], least, most, slack), key
    assert process["command_line"] is None
    assert processes["matched"] == 1


def test_processes_that_only_root_may_read_are_counted(facts, worker, way):
    processes = facts("process", way, pid=[worker[0]])
    (process,) = processes["processes"]
    hidden = way == "user"
    assert (process["pss_bytes"] is None) is hidden
    assert processes["unreadable"] == int(hidden)


def test_the_descriptors_are_those_in_proc(facts, told, worker):
    before = len(told(f"ls /proc/{worker[0]}/fd"))
    (process,) = facts("process", pid=[worker[0]])["processes"]
    after = len(told(f"ls /proc/{worker[0]}/fd"))
    assert min(before, after) <= process["open_fds"] <= max(before, after)


def test_the_largest_are_those_of_ps(facts, told):
    largest = [int(pid) for (pid,) in told("ps --no-headers -eo pid --sort=-rss")[:1]]
    assert [process["pid"] for process in facts("process", top=30)["processes"] if process["name"] != "python3"][
        :1
    ] == largest


def test_the_maps_add_up_to_the_sum_of_pmap(facts, told, worker, between):
    def pmap():
        total = told(f"pmap -x {worker[0]}")[-1]
        assert total[0] == "total"
        return int(total[2]) * 1024, int(total[3]) * 1024

    (size, rss_before), processes, (_size, rss_after) = pmap(), facts("process", pid=[worker[0]], maps=True), pmap()
    maps = processes["processes"][0]["maps"]
    # pmap also counts the vsyscall page.
    assert size - MIB <= sum(one["size_bytes"] for one in maps) <= size + MIB
    assert between(sum(one["rss_bytes"] for one in maps), rss_before, rss_after, 2 * MIB)
