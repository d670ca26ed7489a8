# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the readings of workers: what they use, and whether they work."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import readings, thresholds, units
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import workers

(SIDEKIQ,) = workers(None, "4 GB")
MEMORY = {"limit_bytes": 8 << 30, "limit_available_percent": 50.0}
CALM = {"some_avg10_percent": 0.0}
BUSY = {"some_avg10_percent": 12.0}
NOTED = {"pids": {}, "noted": {}}


def process(pid, state="S", ppid=1, command="sidekiq 7.3.2 app [0 of 5 busy]"):
    return {
        pid: {
            "pid": pid, "ppid": ppid, "name": "ruby", "state": state, "command_line": command, "rss_bytes": 1 << 30
        }
    }  # fmt: skip


INIT = process(1, ppid=0, command="/sbin/init")


def read(*processes, io=None, noted=None, worker=SIDEKIQ, services=readings.NO_SERVICES, blocked=3):
    table = {pid: entry for one in processes for pid, entry in one.items()}
    pressure = {"pressure": {"io": (io or [CALM])[0], "memory": CALM}, "blocked": blocked}
    return readings.read(worker, MEMORY, pressure, table, noted or NOTED, services)


@pytest.mark.parametrize(
    ("state", "io", "expected"),
    [
        ("S", CALM, "running"),
        ("R", CALM, "running"),
        ("T", CALM, "stopped"),
        ("t", CALM, "stopped"),
        ("Z", CALM, "missing"),
        ("D", CALM, "stuck"),
        ("D", BUSY, "running"),
        ("D", None, "running"),
    ],
)
def test_the_state_of_a_worker(state, io, expected):
    reading = read(INIT, process(7, state), io=[io])
    assert reading["state"] == expected
    assert readings.is_missing(reading) == (expected != "running")


def test_one_that_works_is_enough():
    reading = read(INIT, process(7, "Z"), process(8))
    assert (reading["state"], reading["pids"], reading["zombies"], reading["rss_bytes"]) == ("running", [8], 1, 1 << 30)


def test_a_worker_is_unknown_if_not_all_processes_are_seen():
    reading = read(process(4000, command="sh"))
    assert (reading["state"], readings.is_missing(reading)) == ("unknown", False)


def test_a_paused_worker_is_not_missing():
    paused = {"pids": {}, "noted": {"sidekiq": {"paused": True, "given_up": False, "restarts": 0}}}
    assert not readings.is_missing(read(INIT, noted=paused))


def test_without_psi_a_worker_is_stuck_if_no_task_waits_for_a_disk():
    assert read(INIT, process(7, "D"), io=[None], blocked=0)["state"] == "stuck"


SHOWN = {
    "units": "Id=sidekiq.service\nLoadState=loaded\nActiveState=%s\nSubState=x\nResult=exit-code\nNRestarts=7\n"
    "ExecMainStartTimestampMonotonic=%d\n"
}


def services(state="active", began=0, members=None):
    shown = {"units": SHOWN["units"] % (state, began * 1000000)}
    return readings.Services(units.parse(shown), members, (), 1000.0)


def test_a_worker_that_systemd_starts_is_not_missing():
    reading = read(INIT, services=services("activating"))
    assert (reading["state"], readings.is_missing(reading)) == ("starting", False)
    assert readings.is_missing(read(INIT, services=services("failed")))


def test_a_worker_may_be_embedded_in_puma():
    puma = process(8, command="puma 6.4.2 (tcp://0.0.0.0:3000) [app]")
    assert read(INIT, puma)["state"] == "unknown"
    # A unit of its own shows that it is not.
    assert read(INIT, puma, services=services("failed"))["state"] == "missing"
    (other,) = workers([{"name": "crawler"}], None)
    assert read(INIT, puma, worker=other)["state"] == "missing"


def test_a_worker_by_unit_is_what_its_control_group_has():
    (worker,) = workers([{"name": "crawler", "unit": "crawl"}], None)
    table = INIT, process(7, command="java x"), process(8, ppid=7, command="java y"), process(9, command="java z")
    found = read(*table, worker=worker, services=services(members={"crawl.service": {7, 8, 99}}))
    assert (found["pids"], found["processes"], found["state"]) == ([7], 2, "running")
    assert read(*table, worker=worker, services=services(members={}))["state"] == "missing"
    assert read(*table, worker=worker)["state"] == "unknown"


def judged(*processes, memory="4 GB", services=readings.NO_SERVICES):
    (worker,) = workers(None, memory)
    table = {pid: entry for one in (INIT, *processes) for pid, entry in one.items()}
    reading = read(INIT, *processes, worker=worker, services=services)
    found = Findings(thresholds.merge([]))
    readings.judge(found, [reading], MEMORY, {}, table, services)
    return {finding.check: (finding.severity, finding.message) for finding in found.found}


def test_several_processes_under_one_allowance_are_told_from_one():
    assert judged(process(7), memory="1 GB")["worker_memory_percent"] == ("critical", "sidekiq uses 1.0G of its 1.0G")
    both = judged(process(7), process(8), memory="2 GB")["worker_memory_percent"]
    assert both == ("critical", "sidekiq uses 2.0G of its 2.0G in 2 processes")


def test_a_process_that_ends_does_not_count_against_its_successor():
    ending = process(7, command="sidekiq 7.3.2 app [1 of 5 busy] stopping")
    assert judged(ending, process(8), memory="1.5 GB")["worker_memory_percent"][0] == "warning"
    assert judged(ending, memory="1 GB")["worker_memory_percent"][0] == "critical"


def test_the_message_tells_why_its_unit_has_failed():
    found = judged(services=services("failed"))
    assert found["workers_missing"] == (
        "critical",
        "worker sidekiq is not running: sidekiq.service has failed (exit-code)",
    )


@pytest.mark.parametrize(("began", "starts", "expected"), [(960, 0, 7), (100, 0, 1), (0, 0, 1), (0, 12, 12), (0, 2, 1)])
def test_crashes_by_systemds_restarts_and_by_new_starts(began, starts, expected):
    reading = read(INIT, process(7))
    # A unit that began when the host was booted has no time.
    counted = readings.count_crashes(reading, SIDEKIQ, process(7), services(began=began or 5), starts)
    assert (counted.number, reading["crashes"]) == (expected, expected)


def test_no_crashes_are_known_if_nothing_tells_of_any():
    reading = read(INIT, process(7))
    assert readings.count_crashes(reading, SIDEKIQ, process(7), readings.NO_SERVICES, 2) is None
    assert reading["crashes"] is None
