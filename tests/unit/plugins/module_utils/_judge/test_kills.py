# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OOM kills: whose they are decides how bad they are."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import kills, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings

AGE = {"age_seconds": 99000.0, "started_seconds": 1000.0}
LISTENER = {**AGE, "pid": 9, "ppid": 1, "name": "sshd", "command_line": "/usr/sbin/sshd -D", "oom_score_adj": -1000}
RUBY = {**AGE, "pid": 7, "ppid": 1, "name": "ruby", "command_line": "sidekiq 7.3.2", "oom_score_adj": 0}
TABLE = {7: RUBY, 9: LISTENER}
WORKERS = [{"name": "sidekiq", "pids": [7]}]


def event(name="python3", constraint="memcg", unit=None, uptime=99990.0, adjustment=0):
    return {
        "name": name,
        "pid": 4712,
        "constraint": constraint,
        "unit": unit,
        "oom_group": None,
        "uptime_seconds": uptime,
        "oom_score_adj": adjustment,
    }


def judged(*events, table=None, count=None):
    found = Findings(thresholds.merge([]))
    oom = {"events": list(events), "kills_in_log": len(events)}
    kills.judge(found, oom, len(events) if count is None else count, 86400, TABLE if table is None else table, WORKERS)
    return {finding.check: finding.severity for finding in found.found}


@pytest.mark.parametrize(
    ("events", "severity"),
    [
        ([event()] * 8, "warning"),
        ([event()] * 4 + [event(constraint="system")], "critical"),
        ([event(name="ruby")] * 5, "critical"),
        ([event(unit="sidekiq.service")] * 5, "critical"),
        ([event(constraint="system")], "warning"),
        ([], None),
        ([event(constraint="system")] * 5, "critical"),
        ([event(constraint="system", uptime=70000.0)] * 5, "warning"),
        ([event(constraint="system", uptime=None)] * 5, "critical"),
        ([event(constraint="system", adjustment=1000)] * 5, "warning"),
        ([event("ruby", constraint="system", adjustment=1000)] * 5, "critical"),
    ],
)
def test_kills_within_limits_of_their_own_are_a_warning_unless_they_hit_a_worker(events, severity):
    assert judged(*events).get("oom_kills") == severity


def test_kills_that_only_the_counter_tells_are_judged_by_their_number():
    assert judged(count=6) == {"oom_kills": "critical"}
    assert judged(count=None) == {}


def test_a_killed_sshd_is_critical_until_it_is_back():
    assert judged(event("sshd", "system"), table={7: RUBY})["sshd_killed"] == "critical"
    assert judged(event("sshd", "system"))["sshd_killed"] == "warning"


def test_kills_in_the_log_of_a_container_may_be_the_machines():
    log = {"kills_since_boot": None, "kills_in_log": 5, "sources": [{"readable": True}], "events": []}
    facts = {"lifeline_oom": log, "lifeline_kernel": {"container": False}}
    assert kills.in_window(facts, TABLE, 86400) == 5
    assert kills.in_window({**facts, "lifeline_kernel": {"container": True}}, TABLE, 86400) is None
