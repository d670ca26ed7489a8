# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills by programs, in the words of every version of them."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.userspace import KEYS, distinct, kills


def one(text, program=None):
    (event,) = kills([Record(text, epoch=5.0, program=program)], "log")
    return event


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (
            "Killed /a/b.scope due to memory pressure for /a being 61.41% > 50.00% for > 20s with reclaim activity",
            {"killer": "systemd-oomd", "cgroup": "/a/b.scope", "unit": "b.scope", "signal": "SIGKILL", "pid": None},
        ),
        ("Marked /a/b.scope for killing due to memory used (9) / total (10)", {"cgroup": "/a/b.scope"}),
        ("b.service: systemd-oomd killed 3 process(es) in this unit.", {"killer": "systemd-oomd", "unit": "b.service"}),
        (
            'sending SIGTERM to process 7 uid 9 "Web Content": badness 800, VmRSS 4 MiB',
            {
                "killer": "earlyoom",
                "pid": 7,
                "uid": 9,
                "name": "Web Content",
                "signal": "SIGTERM",
                "rss_bytes": 4 << 20,
            },
        ),
        ('sending SIGKILL to process 7 "x": badness 8, VmRSS 4 MiB', {"uid": None, "signal": "SIGKILL"}),
        (
            "Killing process 'x' with signal 15, pid: 7, badness: 8, VmRSS: 4 MiB",
            {"pid": 7, "name": "x", "signal": "SIGTERM", "rss_bytes": 4 << 20},
        ),
        ('killing process 7 "x" with signal 9: badness 8, uid 9', {"pid": 7, "signal": "SIGKILL", "uid": 9}),
        ("Sending SIGTERM to the victim (PID: 7, name: x)", {"killer": "nohang", "pid": 7, "name": "x"}),
        ('Sending SIGKILL to cgroup {"cgroup": "/pods/a"}', {"killer": "talos", "cgroup": "/pods/a"}),
        ("lowmemorykiller: Killing 'x' (7), adj 900", {"killer": "lowmemorykiller", "pid": 7, "name": "x"}),
    ],
)
def test_a_kill_by_a_program(text, facts):
    event = one(text)
    assert {key: event[key] for key in facts} == facts
    assert tuple(event) == KEYS
    assert (event["time"], event["source"]) == (5.0, "log")


@pytest.mark.parametrize(
    "text",
    [
        'killing process 1 "x" with signal 0: may I',
        "sending SIGTERM to my friends",
        "the disk is slow due to memory pressure",
    ],
)
def test_other_messages_are_no_kills(text):
    assert kills([Record(text)]) == []


def test_only_killers_are_believed():
    text = 'sending SIGKILL to process 7 "x": badness 8, VmRSS 4 MiB'
    assert one(text, "earlyoom")["pid"] == 7
    assert kills([Record(text, program="sshd")]) == []


def test_a_second_signal_is_no_second_kill():
    first = one('sending SIGTERM to process 7 "x": badness 8, VmRSS 4 MiB')
    second = one('sending SIGKILL to process 7 "x": badness 8, VmRSS 4 MiB')
    other = one('sending SIGKILL to process 8 "y": badness 8, VmRSS 4 MiB')
    later = dict(first, time=500.0)
    assert [(kill["pid"], kill["time"], kill["signal"]) for kill in distinct([[first, second], [other, later]])] == [
        (7, 500.0, "SIGTERM"),
        (8, 5.0, "SIGKILL"),
        (7, 5.0, "SIGKILL"),
    ]


def test_systemd_reports_what_systemd_oomd_did():
    oomd = one("Killed /a/b.scope due to memory pressure for /a being 61.41% > 50.00%")
    unit = one("b.scope: systemd-oomd killed 3 process(es) in this unit.")
    assert len(distinct([[oomd], [unit]])) == 1
