# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence, taken of this machine by real shells, and what is made of a box's answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import evidence, health as health_probe

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "ash"]) if shutil.which(shell[0])]


def take(shell, *arguments, **options):
    """As Ansible with pipelining does it: the shell reads the script from its standard input."""
    script = evidence.script("w0rd", 2, 60, *arguments, **options)
    done = subprocess.run(
        shell,
        input=script + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        check=True,
    )
    return evidence.parts(done.stdout, done.stderr, "w0rd")


@pytest.mark.parametrize("lean", [False, True])
def test_the_script_can_pass_any_login_shell(lean):
    script = evidence.script("w0rd", 2, 60, [1], ["sidekiq.service"], lean)
    assert not set("'\n") & set(script)
    assert script.count("!") == script.count("! ")
    assert len(script) < 100_000 and not re.search("@[A-Z0-9_]+@", script)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[-1])
def test_it_tells_of_a_process_what_its_memory_and_its_files_are(shell):
    with tempfile.NamedTemporaryFile(dir=tempfile.gettempdir()) as held:
        held.write(b"x" * (1 << 20))
        held.flush()
        os.unlink(held.name)
        sources, named = take(shell, [os.getpid()])
        Path(held.name).touch()
    assert "/proc/meminfo" in sources
    pid = os.getpid()
    assert "Rss:" in named[f"proc/{pid}/smaps_rollup"] and "VmRSS:" in named[f"proc/{pid}/status"]
    assert held.name in named[f"descriptors/{pid}"]
    found = evidence.read(sources, named, [{"name": "me", "pids": [pid]}])
    (entry,) = [entry for entry in found["deleted"] if entry["path"] == held.name]
    assert entry["pid"] == pid and entry["bytes"] >= 1 << 20
    assert found["titles"][str(pid)].startswith(" ".join(sys.orig_argv[:2]))
    members = evidence.members(sources, named, {"box": "me"})
    assert "heap" in members[f"memory-map/{pid}.txt"] or "anonymous" in members[f"memory-map/{pid}.txt"]
    assert "pytest" in members["processes.txt"]
    # The parsers of a recorded box read it again.
    assert members["proc/meminfo"] == sources["/proc/meminfo"]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[-1])
def test_a_box_that_is_short_of_memory_is_asked_for_less(shell):
    _sources, named = take(shell, [os.getpid()], lean=True)
    assert {"kernel.log", "deleted", "units", f"proc/{os.getpid()}/smaps"} <= set(named)
    assert not {"redis", "units.log", "sockets", "monit.status"} & set(named)


def test_units_that_are_none_never_reach_a_shell():
    script = evidence.script("w0rd", 2, 60, [], ["a.service; reboot", "$(reboot)", "b@1.service"])
    assert "reboot" not in script and "b@1.service" in script


def test_a_box_that_is_too_slow_still_ends():
    script = evidence.script("w0rd", 2, 0)
    done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, errors="surrogateescape", check=True)
    _sources, named = evidence.parts(done.stdout, "", "w0rd")
    assert {text.strip() for text in named.values()} == {"not taken: the box is too slow"}


PROBED = f"==> /proc/meminfo <==\nMemTotal: 1 kB\n\n==> {health_probe._END} <==\n\n"


def answer(**parts):
    return PROBED + "".join("\n==> w0rd %s <==\n%s\n" % part for part in parts.items()) + "\n==> w0rd end <==\n"


def test_nobody_can_forge_a_part():
    sources, named = evidence.parts(answer(**{"kernel.log": "==> other end <==\n==> w0rd2 deleted <==\nx"}), "", "w0rd")
    assert set(sources) == {"/proc/meminfo"} and set(named) == {"kernel.log"}


@pytest.mark.parametrize(
    "text", ["", "sudo: a password is required", PROBED, PROBED + "\n==> w0rd kernel.log <==\nx\n"]
)
def test_half_an_answer_is_an_error(text):
    with pytest.raises(ProbeError):
        evidence.parts(text, "", "w0rd")


def test_what_systemd_and_monit_say():
    units = (
        "Id=a.service\nLoadState=loaded\nActiveState=active\nCanReload=yes\nRestart=always\n\n"
        "Id=b.service\nLoadState=not-found\nActiveState=inactive\nCanReload=no\n\nId=c.socket\nLoadState=loaded\n"
    )
    monit = (
        "Monit 5.33.0 uptime: 3m\n Service Name                     Status                      Type          \n"
        " sidekiq                          OK                          Process       \n"
        " box                              OK                          System        \n"
    )
    found = evidence.read(
        {},
        {"units": units, "monit": monit, "space": "12\t/var/log/journal\ndu: error\n"},
        [{"name": "a", "pids": []}, {"name": "b", "pids": []}],
    )
    assert found["services"] == {
        "a.service": {"loaded": True, "active": "active", "can_reload": True, "restart": "always"},
        "b.service": {"loaded": False, "active": "inactive", "can_reload": False, "restart": None},
    }
    assert found["workers"] == {"a.service": "a"}
    assert found["watched"] == ["sidekiq"] and found["space"] == {"/var/log/journal": 12 << 10}


def test_only_deleted_files_with_space_count_and_each_once(box):
    sources = box("debian-12")
    cgroups = "/proc/1/cgroup:0::/init.scope\n/proc/45/cgroup:0::/system.slice/logger.service\n"
    deleted = (
        "0 8 512 801:7 /proc/45/fd/3 /data/a b.log (deleted)\n0 8 512 801:7 /proc/46/fd/3 /data/a b.log (deleted)\n"
        "1 8 512 801:8 /proc/45/fd/4 /data/linked (deleted)\n0 0 512 801:9 /proc/45/fd/5 /data/empty (deleted)\n"
        " /proc/45/fd/6 /data/gone (deleted)\n"
    )
    assert "/proc/47/stat" in sources
    sources["/proc/45/stat"] = sources["/proc/47/stat"]
    found = evidence.read(
        {**sources, "/proc/45/stat": sources["/proc/47/stat"].replace("47", "45", 1)},
        {"cgroups": cgroups, "deleted": deleted},
    )
    assert found["deleted"] == [{"path": "/data/a b.log", "bytes": 4096, "pid": 45, "unit": "logger.service"}]
    assert found["processes"]["45"]["unit"] == "logger.service"


def test_no_name_of_a_part_leaves_the_archive():
    members = evidence.members({"/sys/fs/cgroup/../../../etc/x": "text"}, {"proc/../../y": ""}, {"box": "b1"})
    assert not [name for name in members if name.startswith("/") or ".." in name.split("/")]
