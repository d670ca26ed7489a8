# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare pressure_facts with uptime, nproc, vmstat and getconf."""

from __future__ import annotations

import re

import pytest

testinfra_hosts = ["ansible://facts_plain"]


@pytest.fixture
def uptime(host):
    """Return a function that returns the three load averages of uptime."""

    def ask():
        return [
            float(load) for load in re.findall(r"\d+\.\d+", host.check_output("LC_ALL=C uptime").partition("load")[2])
        ]

    return ask


def test_the_load_is_that_of_uptime(facts, told, uptime, way, between):
    before, pressure, after = uptime(), facts("pressure", way, sample_seconds=0), uptime()
    assert pressure["cpus"] == int(told("getconf _NPROCESSORS_ONLN")[0][0])
    for index, key in enumerate(("one", "five", "fifteen")):
        assert between(pressure["load"][key], before[index], after[index], 0.3)
        assert pressure["load_per_cpu"][key] == pytest.approx(pressure["load"][key] / pressure["cpus"], abs=0.01)


def test_the_shares_since_boot_are_those_of_vmstat(facts, told, way, between):
    def vmstat():
        header, values = told("vmstat")[-2:]
        return dict(zip(header, map(int, values), strict=True))

    before, pressure, after = vmstat(), facts("pressure", way, sample_seconds=0), vmstat()
    assert pressure["since_boot"] is True
    for column, value in (("id", "idle"), ("wa", "iowait"), ("st", "steal")):
        assert between(pressure["cpu_percent"][value], before[column], after[column], 1), column


def test_the_rates_since_boot_are_the_kernels_counters(facts, told, between):
    def rate():
        ((switches,), (seconds,)) = told("awk '$1 == \"ctxt\" {print $2}' /proc/stat; cut -d' ' -f1 /proc/uptime")
        return int(switches) / float(seconds)

    before, pressure, after = rate(), facts("pressure", sample_seconds=0), rate()
    assert between(pressure["context_switches_per_second"], before, after, 1)


def test_a_sample_shows_the_load_during_it(facts):
    pressure = facts("pressure", sample_seconds=0.5)
    assert pressure["since_boot"] is False
    assert pressure["sampled_seconds"] >= 0.5
    assert sum(pressure["cpu_percent"].values()) == pytest.approx(100, abs=1)
    assert pressure["context_switches_per_second"] > 0
