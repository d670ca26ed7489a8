# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the readings of workers: what they use, and whether they work."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import readings
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


def read(*processes, io=None, noted=None):
    table = {pid: entry for one in processes for pid, entry in one.items()}
    pressure = {"pressure": {"io": (io or [CALM])[0], "memory": CALM}}
    return readings.read(SIDEKIQ, MEMORY, pressure, table, noted or NOTED)


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
