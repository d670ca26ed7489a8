# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load, steal and disks that are waited for."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import processors, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings


def stall(some):
    return {"some_avg60_percent": some, "full_avg60_percent": some}


def judged(
    load,
    some=50.0,
    blocked=0,
    nice=(),
    lxcfs=False,
    steal=None,
    psi=True,
    one=None,
    asleep=(),
    rates=processors.NO_RATES,
):
    facts = {
        "pressure": dict.fromkeys(("cpu", "io"), stall(some) if psi else None),
        "load": {"one": load if one is None else one, "five": load},
        "load_per_cpu": {"one": (load if one is None else one) / 2, "five": load / 2},
        "cpus": 2,
        "running": 1,
        "blocked": blocked,
        "since_boot": steal is None,
        "cpu_percent": {"steal": 40.0 if steal is None else steal},
    }
    table = {number: {"state": "R", "nice": value, "kernel_thread": False} for number, value in enumerate(nice)}
    table.update((100 + pid, {"state": "D", "nice": 0, "kernel_thread": kernel}) for pid, kernel in enumerate(asleep))
    found = Findings(thresholds.merge([("test", {"io_pressure_percent": {"warning": 60}})]))
    processors.judge(found, facts, table, lxcfs, rates)
    return {finding.check: finding.severity for finding in found.found}


@pytest.mark.parametrize(("load", "severity"), [(3.9, None), (4, "warning"), (16, "critical")])
def test_a_load_that_is_felt(load, severity):
    assert judged(load).get("load_per_cpu") == severity


@pytest.mark.parametrize(
    "calm",
    [{"some": 0.0}, {"nice": (19, 19, 0)}, {"lxcfs": True}, {"one": 0.5}],
    ids=["no task waits", "jobs that give way", "the machine's load", "it has passed"],
)
def test_a_load_without_waiting_tasks(calm):
    assert judged(40, **calm) == {}


def test_a_load_of_tasks_that_wait_for_a_server_is_felt():
    assert judged(40, some=0.0, blocked=38) == {"load_per_cpu": "critical"}


def test_a_kernel_that_does_not_measure_is_judged_by_its_load():
    assert judged(40, psi=False) == {"load_per_cpu": "critical"}


def test_tasks_that_sleep_in_the_kernel_are_felt_unless_they_are_the_kernels_own():
    assert judged(40, psi=False, asleep=[False] * 40) == {"load_per_cpu": "critical"}
    assert judged(40, psi=False, asleep=[True] * 40) == {}
    assert judged(40, some=0.0, asleep=[True] * 40) == {}


def test_a_load_that_has_just_begun_is_a_warning():
    assert judged(1, one=30, blocked=20) == {"load_per_cpu": "warning"}
    assert judged(1, one=30, blocked=0) == {}


def test_steal_is_judged_between_two_readings_only():
    assert judged(0) == {}
    assert judged(0, steal=12.0) == {"steal_percent": "warning"}


def test_a_disk_that_everything_waits_for():
    assert judged(0, some=70.0) == {"io_pressure_percent": "warning"}


def test_rates_since_an_earlier_reading():
    rates = processors.NO_RATES._replace(steal_percent=35.0, listen_drops_per_minute=60.0)
    assert judged(0, rates=rates) == {"steal_percent": "critical", "listen_drops_per_minute": "warning"}
