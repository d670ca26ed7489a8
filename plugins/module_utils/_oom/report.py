# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the messages between the line `invoked oom-killer` and the kill into the run that they belong to."""

from __future__ import annotations

import re
from typing import Callable

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import (
    COLUMNS,
    COMM,
    CPUSET,
    LIMIT_OF,
    STATS_FOR,
    TASK_IN,
    TRACE,
    USAGE,
    cgroup_path,
    cut_path,
    is_row,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Run, Runs

# The words behind the path, if the line was cut inside them.
_CUT_WORDS = re.compile(r" (?:k|ki|kil|kill|kille|killed(?: a| as| as a)?)?$")
_UNLIMITED = 1 << 52  # kB; cgroup v1 shows "no limit" as almost 2**63 bytes


class Report:
    """Reads the messages of reports, record by record."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs
        # Kernels before 4.20 print "Task in", the path and the rest one by one: they may be records of their own.
        self._open_path: str | None = None

    def continue_path(self, text: str) -> None:
        """Take a record that is the path which the record before announced."""
        if self._open_path is not None and text.startswith("/"):
            setattr(self.runs.all[-1], self._open_path, cgroup_path(text))
        self._open_path = None

    def read(self, index: int, record: Record) -> None:
        """Take what a record says of the run that it belongs to."""
        text = record.text
        for words, pattern, take in _MESSAGES:
            if any(word in text for word in words):
                match = pattern.search(text)
                if match:
                    take(self.runs.current(index, record), match)
        self._announce(index, record)
        last = self.runs.last
        if "Mem-Info" in text and last is not None and last.waits and last.header:
            last.system = True
        self.table_row(index, record)

    def _announce(self, index: int, record: Record) -> None:
        """Note that the next record is to have a path, if a message ends in front of one."""
        if record.text.rstrip().endswith("Task in"):
            self.runs.current(index, record).traced = True
            self._open_path = "task_memcg"
        elif record.text.rstrip().endswith("as a result of limit of"):
            self.runs.current(index, record).memcg_traced = True
            self._open_path = "limit_memcg"

    def table_row(self, index: int, record: Record) -> None:
        """Take a record that begins with a row of the table of processes."""
        if "[" in record.text and is_row(record.text):
            self.runs.add_row(index, record)


def _running_task(run: Run, match: re.Match[str]) -> None:
    if run.comm is None:
        run.comm = match.group(1) or match.group(2)


def _cpuset(run: Run, match: re.Match[str]) -> None:
    run.comm, run.traced = match.group(1), True


def _trace(run: Run, match: re.Match[str]) -> None:
    run.traced = True
    run.memcg_traced = run.memcg_traced or "mem_cgroup_out_of_memory" in match.string


def _task_in(run: Run, match: re.Match[str]) -> None:
    task, _killed, _limit = match.group(1).partition(" killed as a ")
    task = _CUT_WORDS.sub("", task)
    run.task_memcg, run.cut_task_memcg = cgroup_path(task), cut_path(task)
    run.traced = True


def _limit_of(run: Run, match: re.Match[str]) -> None:
    run.limit_memcg = cgroup_path(match.group(1))
    run.cut_limit_memcg = cut_path(match.group(1))
    run.traced = run.memcg_traced = True


def _usage(run: Run, match: re.Match[str]) -> None:
    limit = int(match.group(2))
    run.usage = int(match.group(1)) * 1024
    run.limit = None if limit >= _UNLIMITED else limit * 1024


def _stats(run: Run, match: re.Match[str]) -> None:
    run.memcg_traced = True
    run.stats_memcg = run.stats_memcg or cgroup_path(match.group(1))


def _columns(run: Run, match: re.Match[str]) -> None:
    run.columns = match.group(1).split()
    run.traced = True


# The words that a message must contain, its pattern, and what takes it.
_MESSAGES: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[[Run, re.Match[str]], None]], ...] = (
    (("Comm: ", "comm: "), COMM, _running_task),
    ((" cpuset=",), CPUSET, _cpuset),
    (("out_of_memory", "oom_kill_process", "dump_header"), TRACE, _trace),
    (("Task in ",), TASK_IN, _task_in),
    (("as a result of limit of",), LIMIT_OF, _limit_of),
    (("memory: usage ",), USAGE, _usage),
    (("Memory cgroup stats for ",), STATS_FOR, _stats),
    (("pid ",), COLUMNS, _columns),
)
WORDS = tuple(word for words, _pattern, _take in _MESSAGES for word in words) + ("Task in", "Mem-Info")
