# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare fd_facts with ls, lsof, prlimit and ss."""

from __future__ import annotations

import collections

import pytest

testinfra_hosts = ["ansible://facts_plain", "ansible://facts_fds"]

# The name of each state in ss and in the module.
STATES = {"ESTAB": "established", "CLOSE-WAIT": "close_wait", "LISTEN": "listen"}


@pytest.fixture
def open_by_pid(told):
    """Return a function that returns the number of descriptors of each process from ls."""

    def ask():
        lines = told("bash -c 'for d in /proc/[0-9]*/fd; do echo ${d//[!0-9]/} $(ls $d | wc -l); done' 2> /dev/null")
        return {int(pid): int(count) for pid, count in lines}

    return ask


def test_the_system_has_as_many_as_the_kernel_counts(facts, told, way, between):
    def files():
        ((allocated, _free, maximum),) = told("sysctl -n fs.file-nr")
        return int(allocated), int(maximum)

    before, fds, after = files(), facts("fd", way), files()
    assert between(fds["allocated"], before[0], after[0], 300)
    assert fds["maximum"] == before[1]
    assert fds["nr_open"] == int(told("sysctl -n fs.nr_open")[0][0])


def test_each_process_has_as_many_as_ls_lists(facts, open_by_pid):
    before, fds, after = open_by_pid(), facts("fd"), open_by_pid()
    # The sshd that runs the module has two more pipes in the meantime.
    listed = {process["pid"]: process["open"] for process in fds["processes"] if not process["name"].startswith("sshd")}
    steady = {pid for pid in listed if before.get(pid) == after.get(pid) and pid in before}
    assert len(steady) >= 3
    assert {pid: listed[pid] for pid in steady} == {pid: before[pid] for pid in steady}
    assert fds["unreadable"] == 0


def test_a_user_without_privileges_learns_how_much_is_hidden(facts):
    fds = facts("fd", "user")
    assert fds["processes_total"] > 0
    assert all(process["kinds"] is None or process["open"] is not None for process in fds["processes"])
    hidden = [process for process in fds["processes"] if process["kinds"] is None]
    assert hidden or fds["unreadable"] > 0


def test_the_limits_are_those_of_prlimit(facts, told):
    for process in facts("fd")["processes"]:
        words = told(f"prlimit --noheadings --raw --nofile --output SOFT,HARD --pid {process['pid']} || true")
        # Ansible's own process has ended by now.
        if words:
            assert [process["soft_limit"], process["hard_limit"]] == [int(word) for word in words[0]]


def test_the_kinds_are_those_of_lsof(facts, told):
    shown = [
        process for process in facts("fd")["processes"] if process["name"] in ("python3", "systemd", "dbus-daemon")
    ]
    compared = 0
    for process in shown:
        fields = [line[0] for line in told(f"lsof -nP -a -d 0-99999 -p {process['pid']} -F tn || true")]
        types = collections.Counter(field[1:] for field in fields if field.startswith("t"))
        if types.total() != process["open"]:
            continue
        sockets = sum(types[name] for name in ("sock", "unix", "IPv4", "IPv6", "netlink", "pack"))
        assert process["kinds"]["socket"] == sockets
        # lsof calls a named pipe FIFO as well.
        assert process["kinds"]["pipe"] == sum(field == "npipe" for field in fields)
        assert sum(process["kinds"].values()) == process["open"]
        compared += 1
    assert compared


def test_sockets_have_the_states_of_ss(facts, told):
    def ss():
        return collections.Counter(line[0] for line in told("ss --no-header --tcp --all"))

    before, fds, after = ss(), facts("fd"), ss()
    for theirs, ours in STATES.items():
        low, high = sorted((before[theirs], after[theirs]))
        # Ansible and this test have connections of their own.
        assert low - 2 <= fds["sockets"]["tcp"].get(ours, 0) <= high + 2


def test_inotify_instances_are_those_that_find_lists(facts, told):
    def found():
        return len(told("find /proc/[0-9]*/fd -lname anon_inode:inotify 2>/dev/null || true"))

    before, fds, after = found(), facts("fd", inotify=True), found()
    assert min(before, after) <= fds["inotify"]["instances"] <= max(before, after)
    assert fds["inotify"]["max_user_instances"] == int(told("sysctl -n fs.inotify.max_user_instances")[0][0])


def test_the_leaking_process_comes_first(host, facts, told):
    if "facts_fds" not in host.ansible.get_variables()["group_names"]:
        assert [process for process in facts("fd")["processes"] if process["used_percent"] > 80] == []
        return
    ((pid,),) = told("systemctl show --value --property MainPID descriptor-leak.service")
    worst = facts("fd")["processes"][0]
    assert (worst["pid"], worst["open"], worst["soft_limit"]) == (int(pid), 990, 1024)
    assert worst["used_percent"] == pytest.approx(100 * 990 / 1024, abs=0.01)
    assert worst["kinds"]["socket"] > 900
