# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    descriptor_reader,
    fds as proc_fds,
    sockets as proc_sockets,
)

STAT = "%d (%s) S 1 1 1 0 -1 %d 0 0 0 0 5 5 0 0 20 0 1 0 10 1000 600 0"
LIMIT = "Max open files            %s                 %s               files     \n"


def process(pid, count, soft=1024, hard=4096, name="worker", flags=4194560):
    return {
        f"/proc/{pid}/stat": STAT % (pid, name, flags),
        f"/proc/{pid}/limits": LIMIT % (soft, hard),
        "fds": f"{count} /proc/{pid}/fd\n",
    }


def made(*processes, **files):
    sources = {"/proc/sys/fs/" + name.replace("_nr", "-nr"): text for name, text in files.items()}
    for sources_of_one in processes:
        sources.update(sources_of_one, fds=sources.get("fds", "") + sources_of_one["fds"])
    return sources


def test_the_trap_of_a_limit_above_the_systems_maximum(box):
    fds = proc_fds.parse(box("seed-sockets"))
    assert (fds["allocated"], fds["maximum"], fds["used_percent"]) == (47104, 48226, 97.67)
    assert fds["limit_above_maximum"] == {
        "count": 1,
        "processes": [{"pid": 812, "name": "crawld", "soft_limit": 65536}],
    }
    assert fds["processes"][0] == {
        "pid": 812,
        "name": "crawld",
        "open": 46850,
        "soft_limit": 65536,
        "hard_limit": 65536,
        "used_percent": 71.49,
        "kinds": None,
    }
    assert fds["inodes"] == {"allocated": 90211, "free": 3120}


def test_no_limit_is_no_hundred_percent_and_no_trap():
    fds = proc_fds.parse(made(process(5, 10, soft=1048576), file_nr="1000\t0\t9223372036854775807\n"))
    assert fds["used_percent"] is None
    assert fds["limit_above_maximum"]["count"] == 0


def test_the_most_descriptors_first_and_all_processes_near_a_limit():
    fds = proc_fds.parse(
        made(process(5, 700, soft=4096), process(6, 20, soft=32), process(7, 15, soft=32), process(8, 800, soft=4096)),
        top=1,
    )
    assert [holder["pid"] for holder in fds["processes"]] == [8, 6]
    assert fds["processes"][1]["used_percent"] == 62.5
    assert (fds["processes_total"], fds["unreadable"]) == (4, 0)


def test_what_could_not_be_read_is_counted_and_kernel_threads_are_not():
    sources = made(process(5, 7), process(6, 8), process(2, 0, flags=0x00200040))
    sources["fds"] = sources["fds"].replace("8 /proc/6/fd\n", "")
    del sources["/proc/5/limits"]
    fds = proc_fds.parse(sources)
    assert (fds["processes_total"], fds["unreadable"]) == (2, 2)
    assert [(holder["pid"], holder["soft_limit"], holder["used_percent"]) for holder in fds["processes"]] == [
        (5, None, None)
    ]


def test_kinds_of_descriptors():
    assert proc_fds.kinds(
        [
            "socket:[12]",
            "pipe:[3]",
            "anon_inode:[eventpoll]",
            "anon_inode:inotify",
            "anon_inode:[timerfd]",
            "/dev/null",
            "/dev/shm/a",
            "/var/log/a",
            "/var/log/b (deleted)",
            "mnt:[4026531840]",
        ]
    ) == {"file": 2, "socket": 1, "pipe": 1, "eventpoll": 1, "inotify": 1, "device": 1, "deleted": 1, "other": 2}


SOCKETS = {
    "/proc/net/sockstat": "sockets: used 131\nTCP: inuse 5 orphan 2 tw 3 alloc 9 mem 11\nUDP: inuse 2 mem 0\n",
    "/proc/net/sockstat6": "TCP6: inuse 4\nUDP6: inuse 1\n",
    "/proc/net/tcp": "  sl  local_address rem_address   st tx_queue\n"
    "   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000\n"
    "   1: 0100007F:18EB 0100007F:9C40 01 00000000:00000000 00:00000000\n"
    "   2: 0100007F:18EC 0100007F:9C41 08 00000000:00000000 00:00000000\n",
    "/proc/net/tcp6": "  sl  local_address remote_address st\n"
    "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000\n",
    "/proc/net/udp": "  sl  local_address rem_address   st\n  312: 00000000:0044 00000000:0000 07 00000000:00000000\n",
    "/proc/net/unix": "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 1 /run/x\n",
    "/proc/sys/net/ipv4/tcp_mem": "95899\t127866\t191798\n",
}


def test_sockets_by_state():
    sockets = proc_sockets.parse(SOCKETS, 4096)
    assert {state: count for state, count in sockets["tcp"].items() if count} == {
        "listen": 2,
        "established": 1,
        "close_wait": 1,
    }
    assert (sockets["used"], sockets["tcp_in_use"], sockets["tcp_orphaned"], sockets["tcp_time_wait"]) == (131, 9, 2, 3)
    assert (sockets["tcp_memory_bytes"], sockets["tcp_max_memory_bytes"]) == (11 * 4096, 191798 * 4096)
    assert (sockets["udp"], sockets["unix"]) == (1, 1)


def test_the_same_keys_on_every_box():
    nothing, something = proc_fds.parse({}), proc_fds.parse(made(process(5, 7), file_nr="10 0 20"))
    assert set(nothing) == set(something)
    assert set(proc_sockets.parse({}, 4096)) == set(proc_sockets.parse(SOCKETS, 4096))
    assert proc_sockets.parse({}, 4096)["tcp"] is None


@pytest.fixture
def holder():
    """Start a process with descriptors of known kinds."""
    program = (
        "import os, select, socket, sys\n"
        "kept = [socket.socket() for _ in range(7)] + [os.pipe() for _ in range(2)] + [select.epoll()]\n"
        "kept.append(open(sys.argv[1], 'w')); os.unlink(sys.argv[1])\n"
        "print(flush=True); sys.stdin.read()\n"
    )
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"lifeline-deleted-{os.getpid()}")
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    child.stdout.readline()
    yield child.pid
    child.communicate()


def test_a_real_process_is_counted_as_its_folder_lists_it(holder):
    listed = len(os.listdir(f"/proc/{holder}/fd"))
    assert descriptor_reader.count(holder) == listed
    assert f"{listed} /proc/{holder}/fd\n" == descriptor_reader.count_all([holder])
    counted = proc_fds.kinds(descriptor_reader.links([holder])[holder])
    assert (counted["socket"], counted["eventpoll"], counted["deleted"]) == (7, 1, 1)
    assert counted["pipe"] >= 4
    assert sum(counted.values()) == listed


def test_a_process_that_is_gone_is_no_error():
    child = subprocess.Popen(["true"])
    child.wait()
    assert descriptor_reader.count(child.pid) is None
    assert descriptor_reader.links([child.pid]) == {}
    assert descriptor_reader.inotify_watches(child.pid) == 0


def test_a_listening_socket_of_this_process_is_seen():
    def listening(port):
        with open("/proc/net/tcp") as table:
            rows = [row for row in table if f":{port:04X} 00000000:0000 " in row]
        return proc_sockets.parse({"/proc/net/tcp": "".join(rows)}, 4096)["tcp"]["listen"]

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert listening(port) == 0
        listener.listen()
        assert listening(port) == 1


@given(
    st.dictionaries(
        st.sampled_from([*proc_fds.SOURCES, *proc_sockets.SOURCES, "fds", "/proc/5/stat", "/proc/5/limits"]),
        st.text() | st.sampled_from([*SOCKETS.values(), *process(5, 7).values()]),
    )
)
def test_no_text_makes_it_raise(sources):
    proc_fds.parse(sources)
    proc_sockets.parse(sources, 4096)


@given(st.lists(st.text()))
def test_no_link_makes_it_raise(targets):
    assert sum(proc_fds.kinds(targets).values()) == len(targets)


def test_the_fullest_process_of_each_name():
    def holder(name, pid, count, limit):
        share = None if limit is None else 100.0 * count / limit
        return {"name": name, "pid": pid, "open": count, "soft_limit": limit, "used_percent": share}

    found = proc_fds.fullest_by_name(
        [
            holder("ruby", 1, 50, 1000),
            holder("ruby", 2, 30, 40),
            holder("ruby", 3, 9000, None),
            # sshd lowers its limit before a login, to open no more.
            holder("sshd", 4, 8, 1),
            holder("sshd", 5, 4, 1024),
            holder("cron", 6, 4, None),
        ]
    )
    assert {name: one["pid"] for name, one in found.items()} == {"ruby": 2, "sshd": 5}


def test_any_number_of_processes_near_their_limit_fills_no_report():
    sources = {}
    for pid in range(1, 300):
        sources[f"/proc/{pid}/stat"] = f"{pid} (greedy) S 0 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 1 1 1 1\n"
        sources[f"/proc/{pid}/limits"] = (
            "Max open files            100                  100                  files     \n"
        )
    sources["fds"] = "".join(f"{50 + pid % 50} /proc/{pid}/fd\n" for pid in range(1, 300))
    found = proc_fds.parse(sources, top=5)["processes"]
    assert len(found) == 55
    assert [one["open"] for one in found] == sorted((one["open"] for one in found), reverse=True)
    assert min(one["open"] for one in found) >= 90
