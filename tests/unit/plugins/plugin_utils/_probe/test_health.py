# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe's script in real shells on this machine, and what is made of its answer."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, mounts, statfs
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts as probe_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    fds,
    listeners as proc_listeners,
    memory,
    mountinfo,
    page_size,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health as health_probe, health_answer
from paths import HUNG_MOUNTS

SHELLS = [command for command in (["dash", "-c"], ["bash", "-c"], ["busybox", "ash", "-c"]) if shutil.which(command[0])]


@pytest.fixture(scope="module")
def server():
    """Open a listening socket of each kind in this process, and return the kinds and ports."""
    kinds = itertools.product((socket.AF_INET, socket.AF_INET6), (socket.SOCK_STREAM, socket.SOCK_DGRAM))
    sockets = [socket.socket(*kind) for kind in kinds]
    for one in sockets:
        one.bind(("127.0.0.1" if one.family == socket.AF_INET else "::1", 0))
        if one.type == socket.SOCK_STREAM:
            one.listen()
    yield {("tcp" if one.type == socket.SOCK_STREAM else "udp", one.getsockname()[1]) for one in sockets}
    for one in sockets:
        one.close()


@pytest.fixture(scope="module", params=SHELLS, ids=lambda command: command[0])
def probed(request, server, tmp_path_factory):
    """Return this machine's sources as each shell reads them; busybox uses only its own programs."""
    script, environment = health_probe.script(2, listeners=True), dict(os.environ)
    if request.param[0] == "busybox":
        tools = tmp_path_factory.mktemp("busybox")
        subprocess.run(["busybox", "--install", "-s", tools], check=True)
        script = script.replace("PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin", f"PATH={tools}")
    done = subprocess.run(
        [*request.param, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=True
    )
    assert done.stderr == b""
    return health_answer.sources(done.stdout.decode("utf-8", "surrogateescape"))


def test_it_crosses_any_login_shell_unharmed():
    script = health_probe.script(2, listeners=True)
    assert not {"'", "\n"} & set(script)
    # A C shell expands each exclamation mark from its history unless a blank follows.
    assert script.count("!") == script.count("! ")
    # An argument may have 128 KiB, and sudo and ssh wrap the script in further arguments.
    assert len(script) < 1 << 14
    assert not re.search("@[A-Z0-9_]+@", script)


def test_it_is_one_command_to_which_others_can_be_appended():
    done = subprocess.run(
        ["sh", "-c", f"echo before && {health_probe.script(2)} && echo after"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("before\n")
    assert done.stdout.endswith(f"==> lifeline:{health_probe.SLASHES}end <==\nafter\n")


def test_it_reads_what_the_reader_on_the_box_reads(probed):
    for path in ("/proc/sys/fs/nr_open", "/proc/sys/vm/min_free_kbytes"):
        assert probed[path] == _reader.read_files([path])[path]
    here = mountinfo.parse(_reader.read_files(mountinfo.SOURCES)[mountinfo.SOURCES[0]])
    of_containers = tuple(prefix + "/" for prefix in mounts.HIDDEN_PREFIXES if prefix not in ("/proc", "/sys"))
    assert mountinfo.parse(probed[mountinfo.SOURCES[0]]) == tuple(
        mount for mount in here if not mount.point.startswith(of_containers)
    )
    assert page_size.page_size(probed) == os.sysconf("SC_PAGE_SIZE")
    here = memory.parse(_reader.read_files(memory.SOURCES))
    assert memory.parse(probed)["total_bytes"] == here["total_bytes"]


def test_it_finds_the_file_systems_that_the_reader_on_the_box_finds(probed):
    mounted = _reader.read_files(mountinfo.SOURCES)
    here = disk_facts.parse(dict(mounted, statfs=statfs.read(mountinfo.parse(mounted["/proc/self/mountinfo"]), 2)))
    there = disk_facts.parse(probed)
    assert [(disk["mount"], disk["size_bytes"], disk["inodes_total"]) for disk in there["filesystems"]] == [
        (disk["mount"], disk["size_bytes"], disk["inodes_total"]) for disk in here["filesystems"]
    ]


def test_it_knows_this_very_process(probed):
    me = processes.parse_table(probed)[os.getpid()]
    assert me["ppid"] == os.getppid()
    assert me["rss_bytes"] > 1 << 20
    assert me["command_line"].startswith(" ".join(sys.orig_argv[:2]))
    assert me["fd_soft_limit"] > 0
    (own,) = (line for line in probed["fds"].splitlines() if line.endswith(f" /proc/{os.getpid()}/fd"))
    assert int(own.split()[0]) >= 3


def test_it_finds_the_processes_that_listen(probed, server):
    listeners = proc_listeners.parse(probed)["listeners"]
    assert server == {(one["protocol"], one["port"]) for one in listeners if one["pid"] == os.getpid()}


def test_listeners_are_read_only_on_request():
    assert "/proc/net/tcp" not in health_probe.script(2)
    assert "/fd:" not in health_probe.script(2)


def test_the_memory_ceiling_on_the_way_up_is_read(probed):
    paths = [path for path in memory.paths(probed) if os.path.exists(path)]
    assert set(paths) <= set(probed)


def test_its_own_shells_are_no_workers(probed):
    table = processes.parse_table(probed)
    assert not [
        process
        for process in table.values()
        if "/var/lib/docker" in (process["command_line"] or "")
        and process["name"] in ("sh", "dash", "bash", "ash", "busybox")
    ]


def test_the_same_keys_as_the_modules_return(probed):
    facts = probe_facts.parse(probed, 86400)
    assert set(facts) == {
        "lifeline_memory",
        "lifeline_disks",
        "lifeline_fds",
        "lifeline_oom",
        "lifeline_pressure",
        "lifeline_kernel",
    }
    assert set(facts["lifeline_fds"]) == set(fds.parse({}))
    assert set(probe_facts.parse(probed, 86400, [])["lifeline_listeners"]) == set(proc_listeners.parse({}))


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), reason="needs root and /dev/fuse")
def test_a_mount_that_hangs_is_named_and_does_not_hold_up_the_rest(tmp_path):
    hung = tmp_path / "a silent server"
    hung.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, HUNG_MOUNTS, hung, "--", "sh", "-c", health_probe.script(0.3)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    sources = health_answer.sources(done.stdout.decode("utf-8", "surrogateescape"))
    disks = disk_facts.parse(sources)
    assert disks["hung"] == [str(hung)]
    assert [disk for disk in disks["filesystems"] if disk["mount"] == "/"][0]["size_bytes"] > 0
    assert f"/proc/{os.getpid()}/stat" in sources


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can start a limited shell")
def test_a_shell_that_cannot_fork_tells_what_it_can_read():
    limited = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "prlimit", "--nproc=1:1", "dash"]
    script = health_probe.script(2).encode() + b"\n"
    done = subprocess.run(limited, input=script, capture_output=True, cwd="/", check=False)
    answer = health_answer.read(done.stdout.decode(), done.stderr.decode())
    assert answer.failed == "fork_fails"
    assert set(answer.sources) >= {"/proc/meminfo", "/proc/loadavg"}
    facts = probe_facts.parse(answer.sources, 60)
    assert facts["lifeline_memory"]["total_bytes"] > 0
