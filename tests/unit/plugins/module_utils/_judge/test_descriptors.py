# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors of the system and of each process."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import descriptors, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings


def judged(**facts):
    found = Findings(thresholds.merge([]))
    quiet = {
        "used_percent": 1.0,
        "allocated": 10,
        "maximum": 1000,
        "processes": [],
        "limit_above_maximum": {"count": 0, "processes": []},
    }
    descriptors.judge(found, {**quiet, **facts})
    return {finding.check: (finding.severity, finding.subject) for finding in found.found}


def process(opened, limit):
    return {"name": "nginx", "pid": 7, "open": opened, "soft_limit": limit, "used_percent": 100.0 * opened / limit}


def test_the_whole_system():
    assert judged(used_percent=90.0) == {"fds_used_percent": ("critical", None)}


def test_each_process_against_its_own_limit():
    assert judged(processes=[process(990, 1024)]) == {"process_fds_used_percent": ("critical", "nginx")}
    assert judged(processes=[process(10, 1024)]) == {}


def test_a_process_that_has_lowered_its_limit_wants_no_more():
    assert judged(processes=[process(7, 1)]) == {}


def test_a_process_that_is_just_beyond_its_limit_has_reached_it():
    assert judged(processes=[process(65, 64)]) == {"process_fds_used_percent": ("critical", "nginx")}


def test_a_limit_that_can_never_protect():
    above = {"count": 2, "processes": [process(10, 65536)]}
    assert judged(limit_above_maximum=above) == {"fd_limits_above_maximum": ("warning", "nginx")}
