# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that parsers return the declared shape for kills, processes and listeners."""

from __future__ import annotations

import pytest
from shapes import violations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract import programs
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners, maps, processes

LOG = (
    "<4>[  100.000001] ruby invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n"
    "<6>[  100.000002] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/system.slice/sidekiq.service,task=ruby,pid=77,uid=1000\n"
    "<3>[  100.000003] Out of memory: Killed process 77 (ruby) total-vm:100kB, anon-rss:50kB, file-rss:0kB, "
    "shmem-rss:0kB, UID:1000 pgtables:12kB oom_score_adj:0\n"
)


def test_a_kill_in_a_log():
    found = oom_facts.parse({"dmesg": LOG}, now=1750000000, boot_time=1749990000, unread={"journal": "no journal"})
    assert violations(found, programs.Oom) == []
    assert [event["unit"] for event in found["events"]] == ["sidekiq.service"]


def test_a_kill_of_a_program():
    text = 'Jul 29 06:26:59 web1 earlyoom[5]: sending SIGTERM to process 9 uid 5 "ruby": badness 900, VmRSS 100 MiB\n'
    found = oom_facts.parse({"journal": text}, now=1750000000, boot_time=1749990000)
    assert violations(found, programs.Oom) == []
    assert len(found["other_kills"]) == 1


@pytest.mark.parametrize("name", ["debian-11", "debian-13"])
def test_the_table_of_processes(box, name):
    table = processes.parse_table(box(name))
    assert table
    assert [line for process in table.values() for line in violations(process, programs.Process)] == []


def test_the_details_of_a_process(box):
    sources = box("debian-12")
    table = processes.parse_table(sources)
    found = processes.details(table[1], sources, {0: "root"})
    found.update(open_fds=5, maps=maps.parse("00400000-00452000 r-xp 00000000 08:02 173521 /bin/x\nRss: 4 kB\n"))
    assert violations(found, programs.ProcessDetails) == []


@pytest.mark.parametrize("name", ["listeners-debian-11", "listeners-debian-14"])
def test_listeners(box, name):
    found = listeners.parse(box(name), expected=["ssh.service"])
    assert violations(found, programs.Listeners) == []
    assert found["unexpected"]
