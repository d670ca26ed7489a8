# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills of several logs, each once."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._oom.logs import kills

KILLED = "Out of memory: Killed process %d (%s) total-vm:%dkB, anon-rss:8kB, file-rss:7kB\n"


def found(now=1795300000, **texts):
    return kills(texts, now, None, 0)[0]


def test_a_kill_in_two_logs_is_one_and_has_what_both_tell():
    events = found(
        one="[10.500000] " + KILLED % (7, "x", 9),
        two="Nov 21 10:00:00 h kernel: [10.500000] " + KILLED % (7, "x", 9),
    )
    assert [(event["uptime_seconds"], event["time"], event["source"]) for event in events] == [
        (10.5, 1795255200, "one")
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[10.500000] " + KILLED % (7, "x", 9), "[10.500000] " + KILLED % (8, "x", 9)),
        ("[10.500000] " + KILLED % (7, "x", 9), "[10.500000] " + KILLED % (7, "y", 9)),
        ("[10.500000] " + KILLED % (7, "x", 9), "[10.500000] " + KILLED % (7, "x", 8)),
        ("[10.500000] " + KILLED % (7, "x", 9), "[11.500000] " + KILLED % (7, "x", 9)),
        ("Nov 21 10:00:00 h kernel: " + KILLED % (7, "x", 9), "Nov 21 11:00:00 h kernel: " + KILLED % (7, "x", 9)),
        (
            "Nov 20 10:00:00 h kernel: [10.500000] " + KILLED % (7, "x", 9),
            "Nov 21 11:00:00 h kernel: [10.500000] " + KILLED % (7, "x", 9),
        ),
    ],
)
def test_kills_that_differ_are_two(one, other):
    assert len(found(log=one + other)) == len(found(one=one, other=other)) == 2


def test_names_may_be_written_differently():
    assert len(found(one="[10.500000] " + KILLED % (7, "a\\xffb", 9), two="[10.500000] " + KILLED % (7, "ab", 9))) == 1


def test_two_kills_of_one_log_match_two_of_another():
    line = "Nov 21 10:00:%02d h kernel: " + KILLED % (7, "x", 9)
    one = line % 0 + line % 2
    assert len(found(one=one, two=one)) == 2


def test_runs_without_a_kill_are_those_of_the_log_that_shows_most():
    header = "[%d.000000] x invoked oom-killer: gfp_mask=0x0\n"
    assert kills({"one": header % 1, "two": header % 1 + header % 500}, None, None, 0)[2] == 2


def test_no_logs():
    assert kills({}, None, None, 0) == ([], [], 0)
