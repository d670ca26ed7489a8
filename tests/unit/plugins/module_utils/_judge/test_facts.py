# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a host becomes facts, the watchdog's notes and a table of processes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import facts

NAMES = ("lifeline_memory", "lifeline_disks", "lifeline_fds", "lifeline_oom", "lifeline_pressure", "lifeline_kernel")
KILL = "<6>[{}.000001] Out of memory: Killed process 77 (ruby) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n"


def test_what_listens_is_parsed_only_if_something_says_what_may(box):
    sources = box("listeners-debian-13")
    assert tuple(facts.parse(sources, 60)) == NAMES
    found = facts.parse(sources, 60, expected=["ssh.service"])
    assert tuple(found) == (*NAMES, "lifeline_listeners")
    assert found["lifeline_listeners"]["unexpected"]


@pytest.mark.parametrize(("window", "kills"), [(86400, 2), (400, 1), (10, 0)])
def test_kills_before_the_window_are_left_out(window, kills):
    sources = {
        "/proc/stat": "btime 1750000000\n",
        "/proc/uptime": "10000.00 5.00\n",
        "/proc/vmstat": "oom_kill 2\n",
        "kmsg": KILL.format(1000) + KILL.format(9700).replace("77", "78"),
    }
    assert facts.parse(sources, window)["lifeline_oom"]["kills_in_log"] == kills


def test_without_a_clock_no_kill_is_left_out():
    sources = {"/proc/vmstat": "oom_kill 1\n", "kmsg": KILL.format(1000)}
    assert facts.parse(sources, 10)["lifeline_oom"]["kills_in_log"] == 1


def test_the_boot_the_processes_and_the_notes(box):
    sources = box("debian-12")
    assert facts.boot_time(sources) > 1_700_000_000
    assert facts.process_table(sources)[1]["ppid"] == 0
    sources["/run/lifeline/watchdog/sidekiq"] = "restarts 4\npaused 1\n"
    assert facts.watchdog(sources)["noted"] == {"sidekiq": {"restarts": 4, "given_up": False, "paused": True}}


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_text_in_place_of_a_source_makes_it_raise(box, data):
    sources = box("debian-13")
    for path in data.draw(st.lists(st.sampled_from(sorted(sources)), max_size=5)):
        sources[path] = data.draw(st.text())
    facts.parse(sources, 60, expected=())
    facts.process_table(sources)
    facts.watchdog(sources)
