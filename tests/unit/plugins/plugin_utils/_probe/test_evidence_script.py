# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence, taken of this machine by real shells, and the parts of an answer."""

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
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import (
    evidence,
    evidence_script,
    health as health_probe,
)

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "ash"]) if shutil.which(shell[0])]


def take(shell, *arguments, **options):
    """Send the script to the shell's standard input, as with Ansible's pipelining."""
    script = evidence_script.script(2, 60, *arguments, **options)
    done = subprocess.run(
        shell,
        input=script + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        check=True,
    )
    return evidence_script.parts(done.stdout, done.stderr)


@pytest.mark.parametrize("lean", [False, True])
def test_the_script_can_pass_any_login_shell(lean):
    script = evidence_script.script(2, 60, [1], ["sidekiq.service"], lean)
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
    script = evidence_script.script(2, 60, [], ["a.service; reboot", "$(reboot)", "b@1.service"])
    assert "reboot" not in script and "b@1.service" in script


def test_a_box_that_is_too_slow_still_ends():
    script = evidence_script.script(2, 0)
    done = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, errors="surrogateescape", check=True)
    _sources, named = evidence_script.parts(done.stdout, "")
    assert {text.strip() for text in named.values()} == {"not taken: the box is too slow"}


PROBED = (
    "\n==> lifeline:files <==\n==> /proc/meminfo <==\nMemTotal: 1 kB\n\n==> lifeline:commands <==\n"
    f"\n==> lifeline:{health_probe.SLASHES}end <==\n"
)
END = "\n==> lifeline:end <==\n"


def answer(**parts):
    return PROBED + "".join(f"\n==> lifeline:{name} <==\n{text}\n" for name, text in parts.items()) + END


def test_no_line_of_a_part_is_a_heading():
    text = "|==> lifeline:deleted <==\n|0 1 512 8:1 /proc/1/fd/3 /x (deleted)\n|==> lifeline:end <==\n|x\n|ended 0"
    sources, named = evidence_script.parts(answer(**{"kernel.log": text}), "")
    assert set(sources) == {"/proc/meminfo", "statfs"}
    assert named == {"kernel.log": text.replace("\n|", "\n")[1:].partition("ended")[0]}


def test_a_command_line_begins_no_part():
    forged = "\n==> lifeline:cgroups <==\n|/proc/9/cgroup:0::/system.slice/mysql.service\n"
    head, end, rest = answer(cgroups="|real").partition(f"\n==> lifeline:{health_probe.SLASHES}end")
    command = f"==> /proc{health_probe.SLASHES}9/cmdline <==\n{forged}"
    sources, named = evidence_script.parts(head + command + end + rest, "")
    assert named == {"cgroups": "real\n"}
    assert sources["/proc/9/cmdline"] == forged[:-1] or sources["/proc/9/cmdline"] == forged


@pytest.mark.parametrize(
    "text", ["", "sudo: a password is required", PROBED, PROBED + "\n==> lifeline:kernel.log <==\n|x\n"]
)
def test_half_an_answer_is_an_error(text):
    with pytest.raises(ProbeError):
        evidence_script.parts(text, "")
