# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a process and those below it, by unit."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import processes
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.subtrees import MemoryOfUnits


def table(*rows):
    return {pid: {"ppid": ppid, "rss_bytes": rss} for pid, ppid, rss in rows}


TREE = table((1, 0, 1), (10, 1, 10), (11, 10, 100), (12, 10, 1000), (13, 12, 10000), (20, 1, 100000))
UNITS = {10: "ssh.service", 11: "ssh.service", 12: "session-3.scope", 13: None, 20: "cron.service"}


@pytest.mark.parametrize(
    ("pid", "unit", "expected"),
    [
        (10, "ssh.service", 10110),
        (12, "session-3.scope", 11000),
        (13, None, 10000),
        (20, "cron.service", 100000),
        (20, "other.service", 100000),
        (10, None, 10010),
    ],
)
def test_a_process_counts_itself_and_those_below_in_its_unit_or_in_none(pid, unit, expected):
    assert MemoryOfUnits(TREE, UNITS.get).of(pid, unit) == expected


def test_a_process_that_is_its_own_ancestor_counts_itself():
    forged = table((5, 6, 7), (6, 5, 8), (9, 9, 4))
    sums = MemoryOfUnits(forged, lambda pid: None)
    assert [sums.of(pid, None) for pid in forged] == [7, 8, 4]


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 99), st.sampled_from([None, "a.service", "b.service"])), max_size=10
    )
)
def test_it_agrees_with_a_walk_for_each(rows):
    processes_of = table(*((pid, ppid, rss) for pid, (ppid, rss, _unit) in enumerate(rows, start=1)))
    units = {pid: unit for pid, (_ppid, _rss, unit) in enumerate(rows, start=1)}
    sums = MemoryOfUnits(processes_of, units.get)
    for pid in processes_of:
        members = processes.tree(processes_of, [pid])
        ancestors, above = set(), pid
        while above in processes_of and above not in ancestors:
            ancestors.add(above)
            above = processes_of[above]["ppid"]
        if above in processes_of:
            continue
        walked = sum(
            processes_of[one]["rss_bytes"] for one in members if one == pid or units[one] in (units[pid], None)
        )
        assert sums.of(pid, units[pid]) == walked
