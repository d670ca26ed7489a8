# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test what systemd says of units, and which processes belong to them."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import units

SHOWN = """\
Id=sidekiq@1.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=core-dump
NRestarts=1440
ExecMainStartTimestampMonotonic=86390000000

Id=sidekiq.service
LoadState=not-found
ActiveState=inactive
NRestarts=0
ExecMainStartTimestampMonotonic=0

Id=crawl.service
LoadState=loaded
ActiveState=failed
Result=start-limit-hit
ExecMainStartTimestampMonotonic=0
"""


def test_units_that_are_loaded():
    assert units.parse({"units": SHOWN}) == [
        units.Unit("sidekiq@1.service", True, None, 1440, 86390.0),
        units.Unit("crawl.service", False, "start-limit-hit", None, None),
    ]
    assert units.parse({}) == units.parse({"units": "no\nunit"}) == []


def test_the_units_of_a_worker():
    found = units.parse({"units": SHOWN})
    assert units.of(found, ("sidekiq.service", "sidekiq@*.service")) == found[:1]


def test_the_processes_of_a_unit():
    sources = {
        "/sys/fs/cgroup/system.slice/crawl.service/cgroup.procs": "7\n8\n",
        "/sys/fs/cgroup/systemd/system.slice/crawl.service/cgroup.procs": "8\n9\nx\n",
        "/sys/fs/cgroup/system.slice/ssh.socket/cgroup.procs": "1\n",
    }
    assert units.members(sources) == {"crawl.service": {7, 8, 9}}


def test_what_systemd_is_said_to_have_can_be_printed():
    said = "Id=a\x1b[2J.service\nActiveState=failed\nResult=\x9b2J\n"
    (found,) = units.parse({units.SOURCE: said})
    assert (found.name, found.failed) == (r"a\x1b[2J.service", r"\x9b2J")
