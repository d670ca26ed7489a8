# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, swap and what the kernel promises."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import memory, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings

GIB = 1 << 30
FACTS = {
    "limit_bytes": 16 * GIB,
    "limit_available_bytes": 8 * GIB,
    "limit_available_percent": 50.0,
    "ram_available_percent": 50.0,
    "available_bytes": 8 * GIB,
    "total_bytes": 16 * GIB,
    "cgroup": None,
    "slab_unreclaimable_percent": 1.0,
    "slab_unreclaimable_bytes": 1 << 20,
    "overcommit_mode": "heuristic",
    "committed_percent": 99.5,
    "committed_bytes": GIB,
    "commit_limit_bytes": GIB,
    "swap": {"used_percent": 0.0, "used_bytes": 0, "total_bytes": GIB, "compressed": False},
    "arc_reclaimable_bytes": None,
}
CALM = {"full_avg60_percent": 0.0, "some_avg60_percent": 0.0}
PRESSURE = {"pressure": {"memory": CALM}, "since_boot": True, "swap_in_bytes_per_second": 1e9}
FULL_SWAP = {"used_percent": 100.0, "used_bytes": GIB, "total_bytes": GIB, "compressed": False}
SHORT = {"limit_available_percent": 20.0, "ram_available_percent": 20.0, "limit_available_bytes": GIB}


def judged(pressure=None, lxcfs=False, table=None, messages=None, rates=memory.NO_RATES, **facts):
    messages = [] if messages is None else messages
    found = Findings(thresholds.merge([]))
    memory.judge(found, {**FACTS, **facts}, {**PRESSURE, **(pressure or {})}, table or {}, lxcfs, rates)
    messages.extend(finding.message for finding in found.found)
    return {finding.check: finding.severity for finding in found.found}


@pytest.mark.parametrize(
    ("left_gib", "share", "severity"),
    [(51, 5.0, None), (6, 9.0, "warning"), (2, 9.0, "critical"), (0.03, 12.0, "warning"), (0.03, 2.0, "critical")],
)
def test_little_memory_is_little_as_a_share_and_as_such(left_gib, share, severity):
    found = judged(
        limit_available_bytes=int(left_gib * GIB), limit_available_percent=share, ram_available_percent=share
    )
    assert found.get("memory_available_percent") == severity


def test_a_host_that_is_shorter_of_memory_than_the_control_group_decides():
    short = {"cgroup": {}, "ram_available_percent": 2.0, "available_bytes": GIB // 3}
    assert judged(**short) == {"memory_available_percent": "critical"}
    assert judged(**{**short, "ram_available_percent": 60.0}) == {}


def test_a_swap_full_of_cold_pages_is_a_warning():
    assert judged(swap=FULL_SWAP) == {"swap_used_percent": "warning"}


@pytest.mark.parametrize(
    "worse",
    [
        SHORT,
        {"pressure": {"pressure": {"memory": {**CALM, "some_avg60_percent": 9.0}}}},
        {"pressure": {"since_boot": False}},
    ],
    ids=["memory is short", "tasks wait", "pages are read back"],
)
def test_a_full_swap_is_critical_if_it_hurts(worse):
    assert judged(swap=FULL_SWAP, **worse)["swap_used_percent"] == "critical"


def test_promises_count_only_if_the_kernel_keeps_them():
    assert judged() == {}
    assert judged(overcommit_mode="never") == {"memory_committed_percent": "critical"}


def test_a_swap_full_of_cold_pages_on_a_large_host_is_a_warning():
    large = {"limit_available_percent": 20.0, "ram_available_percent": 20.0, "limit_available_bytes": 12 * GIB}
    assert judged(swap=FULL_SWAP, **large) == {"swap_used_percent": "warning"}


def test_compressed_memory_is_meant_to_be_used():
    zram = {**FULL_SWAP, "compressed": True}
    assert judged(swap=zram) == {}
    assert judged(swap=zram, **SHORT)["swap_used_percent"] == "critical"


def test_only_a_process_that_holds_much_is_named():
    def process(size):
        return {7: {"name": "ruby", "pid": 7, "rss_bytes": size}}

    for size, named in ((40 << 20, False), (4 * GIB, True)):
        messages = []
        judged(table=process(size), messages=messages, **SHORT)
        assert ("ruby (pid 7)" in messages[0]) is named


def test_the_worse_of_group_and_host_is_the_one_that_is_short():
    group = {"limit_available_bytes": GIB, "limit_available_percent": 20.0, "cgroup": {}}
    large = {"available_bytes": 8 * GIB, "ram_available_percent": 5.0}
    assert judged(**group, **large) == {"memory_available_percent": "warning"}


def test_slab_kills_only_where_memory_is_short():
    slab = {"slab_unreclaimable_bytes": 10 * GIB}
    assert judged(**slab) == {"slab_unreclaimable_percent": "warning"}
    assert judged(**slab, **SHORT)["slab_unreclaimable_percent"] == "critical"
    assert judged(**slab, **SHORT, lxcfs=True) == {"memory_available_percent": "warning"}
    assert judged(**slab, arc_reclaimable_bytes=9 * GIB) == {}


def test_a_kernel_without_psi_thrashes_if_many_pages_are_read_back():
    rates = memory.NO_RATES._replace(major_faults_per_second=1500.0)
    assert judged(rates=rates) == {}
    assert judged({"pressure": {"memory": None}}, rates=rates) == {"major_faults_per_second": "warning"}


def test_a_swap_that_is_read_back_between_two_readings_is_critical():
    rates = memory.NO_RATES._replace(swap_in_bytes_per_second=2e6)
    assert judged(swap=FULL_SWAP, rates=rates) == {"swap_used_percent": "critical"}
