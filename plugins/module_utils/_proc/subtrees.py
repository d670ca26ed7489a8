# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sum the memory of processes and their descendants, by unit, in one walk over the table."""

from __future__ import annotations

from bisect import bisect_left
from typing import Callable, Dict, List, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Table


class MemoryOfUnits:
    """The resident sets of each subtree of the table, for as many subtrees as are asked for."""

    def __init__(self, table: Table, unit_of: Callable[[int], Optional[str]]) -> None:
        """Walk the table, and number its processes: those of a subtree follow each other.

        `unit_of` returns the unit of a process.
        """
        self._table = table
        self._unit_of = unit_of
        # Where the subtree of a process begins and ends.
        self._spans: Dict[int, Tuple[int, int]] = {}
        # By unit: the numbers of its processes, and the sums of their sizes before each of them and after all.
        self._numbers: Dict[Optional[str], List[int]] = {}
        self._sums: Dict[Optional[str], List[int]] = {}
        self._walk()

    def of(self, pid: int, unit: Optional[str]) -> int:
        """Return the resident sets of a process and of those below it that are in the unit or in no known one."""
        own = self._table[pid]["rss_bytes"]
        if pid not in self._spans:
            # It is its own ancestor, which only a forged table can say.
            return own
        units = {unit, None}
        counted = 0 if self._unit_of(pid) in units else own
        return counted + sum(self._sum(one, *self._spans[pid]) for one in units)

    def _sum(self, unit: Optional[str], begin: int, end: int) -> int:
        numbers = self._numbers.get(unit)
        if numbers is None:
            return 0
        sums = self._sums[unit]
        return sums[bisect_left(numbers, end)] - sums[bisect_left(numbers, begin)]

    def _walk(self) -> None:
        children: Dict[int, List[int]] = {}
        for pid, process in self._table.items():
            children.setdefault(process["ppid"], []).append(pid)
        begins: Dict[int, int] = {}
        number = 0
        for root in [pid for pid, process in self._table.items() if process["ppid"] not in self._table]:
            waiting = [(root, False)]
            while waiting:
                pid, done = waiting.pop()
                if done:
                    self._spans[pid] = (begins[pid], number)
                    continue
                begins[pid] = number
                self._add(self._unit_of(pid), number, self._table[pid]["rss_bytes"])
                number += 1
                waiting.append((pid, True))
                waiting += [(child, False) for child in children.get(pid, ())]

    def _add(self, unit: Optional[str], number: int, size: int) -> None:
        self._numbers.setdefault(unit, []).append(number)
        sums = self._sums.setdefault(unit, [0])
        sums.append(sums[-1] + size)
