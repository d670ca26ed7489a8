# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the runs of the OOM killer that a log tells of, and find the run that a message belongs to."""

from __future__ import annotations

from collections import deque
from itertools import islice

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import Row, Selected, Summary, Victim, rows

_SECONDS_OF_A_KILL = 300  # a slow console may take as long for one report
_RECORDS_OF_A_KILL = 60000
_RECORDS_OUT_OF_ORDER = 5000
_MOST_ROWS = 60000
_LATEST = 8  # how many runs may be under way at once


def apart(one: Record, other: Record, seconds: float) -> bool:
    """Return whether more than `seconds` are known to lie between two records."""
    if one.uptime is not None and other.uptime is not None:
        return abs(one.uptime - other.uptime) > seconds
    if one.epoch is not None and other.epoch is not None:
        return abs(one.epoch - other.epoch) > seconds
    return False


class Killed:
    """A process that was killed: what the message says of it, its record, and why the kernel killed."""

    __slots__ = ("victim", "record", "why")

    def __init__(self, victim: Victim, record: Record, why: str | None) -> None:
        self.victim = victim
        self.record = record
        self.why = why


class Run:
    """One run of the OOM killer: what its report says, and which processes it killed.

    - `header`, `invoker`: whether the line `invoked oom-killer` was read, and the name in it
    - `comm`, `traced`: the name of the task that was running, and whether a line of the report shows that it ran the
      OOM killer
    - `system`, `memcg_traced`: whether a line shows that all memory, or that of a cgroup, had run out
    - `task_memcg`, `limit_memcg`, `stats_memcg`, `group_memcg`: cgroups of the victim, of the limit, of the statistics,
      and of the group that is killed; `cut_task_memcg` and `cut_limit_memcg` are beginnings
    - `usage`, `limit`: the bytes in use, and their limit
    - `columns`, `rows`: the head of the table of processes, and its rows by the process
    - `thread_rows`: of each process, the first row that one of its threads has
    - `summary`, `selected`, `victims`: the process that the kernel chose, and those that it killed
    - `group`: whether a whole cgroup is killed
    - `skipped`: whether the run ended without a kill
    - `interrupted`: whether the header of another run followed at once
    """

    __slots__ = (
        "index",
        "record",
        "caller",
        "header",
        "invoker",
        "comm",
        "traced",
        "system",
        "memcg_traced",
        "task_memcg",
        "limit_memcg",
        "stats_memcg",
        "group_memcg",
        "cut_task_memcg",
        "cut_limit_memcg",
        "usage",
        "limit",
        "columns",
        "rows",
        "thread_rows",
        "summary",
        "selected",
        "victims",
        "group",
        "skipped",
        "interrupted",
    )

    def __init__(self, index: int, record: Record) -> None:
        self.index = index
        self.record = record
        self.caller = record.caller
        self.header = self.traced = self.system = self.memcg_traced = False
        self.group = self.skipped = self.interrupted = False
        self.invoker: str | None = None
        self.comm: str | None = None
        self.task_memcg: str | None = None
        self.limit_memcg: str | None = None
        self.stats_memcg: str | None = None
        self.group_memcg: str | None = None
        self.cut_task_memcg: str | None = None
        self.cut_limit_memcg: str | None = None
        self.usage: int | None = None
        self.limit: int | None = None
        self.columns: list[str] | None = None
        self.rows: dict[int, Row] = {}
        self.thread_rows: dict[int, Row] = {}
        self.summary: Summary | None = None
        self.selected: Selected | None = None
        self.victims: list[Killed] = []

    @property
    def waits(self) -> bool:
        """Return whether a kill is still to come."""
        return not self.victims and not self.skipped

    @property
    def reported(self) -> bool:
        """Return whether any part of a report was read."""
        return bool(self.header or self.summary or self.selected or self.traced or self.memcg_traced or self.rows)

    @property
    def named_pid(self) -> int | None:
        """The process that the summary names."""
        return self.summary.pid if self.summary else None

    def reaches(self, index: int, record: Record) -> bool:
        """Return whether a message may belong to this run: not too many records or seconds later."""
        return abs(index - self.index) <= _RECORDS_OF_A_KILL and not apart(self.record, record, _SECONDS_OF_A_KILL)

    def add_rows(self, text: str) -> None:
        """Add the rows of the table of processes in a text."""
        for row in rows(text):
            if len(self.rows) >= _MOST_ROWS:
                return
            self.rows.setdefault(row.pid, row)
            self.thread_rows.setdefault(row.tgid, row)

    def row(self, pid: int) -> Row | None:
        """Return the row of a process, else a row of one of its threads, or None."""
        return self.rows.get(pid) or self.thread_rows.get(pid)

    def has_thread(self, thread: int, pid: int) -> bool:
        """Return whether the table has a row for a thread of a process."""
        row = self.rows.get(thread)
        return row is not None and row.tgid == pid


class Runs:
    """The runs of one log, oldest first."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        # The rows of a table whose head the log has lost, until the message that the table belongs to.
        self._loose: list[str] = []
        self._loose_end: tuple[int, Record] | None = None

    @property
    def last(self) -> Run | None:
        """The latest run."""
        return self.all[-1] if self.all else None

    def new(self, index: int, record: Record) -> Run:
        """Begin a run with a message."""
        run = Run(index, record)
        self.all.append(run)
        return run

    def current(self, index: int, record: Record) -> Run:
        """Return the run that a message of a report belongs to: the latest, or a new one if that has killed already."""
        last = self.last
        if last is not None and last.waits and last.selected is None and last.reaches(index, record):
            return last
        self.forget_rows()
        return self.new(index, record)

    def begin(self, index: int, record: Record) -> Run:
        """Begin a run with a message about its victim; rows of a table just before the message are the run's."""
        run = self.new(index, record)
        if self._loose_end is not None and run.reaches(*self._loose_end):
            for text in self._loose:
                run.add_rows(text)
        self.forget_rows()
        return run

    def add_row(self, index: int, record: Record) -> None:
        """Add a row of the table of processes to the run that it belongs to."""
        last = self.last
        if last is not None and last.waits and last.reaches(index, record):
            last.add_rows(record.text)
        elif len(self._loose) < _MOST_ROWS:
            self._loose.append(record.text)
            self._loose_end = index, record

    def forget_rows(self) -> None:
        """Forget the rows of a table without a head."""
        self._loose, self._loose_end = [], None

    def waiting(self, index: int, record: Record) -> list[Run]:
        """Return the runs whose kill a message may be, latest first."""
        return [
            run for run in reversed(self.all[-_LATEST:]) if run.waits and run.reaches(index, record) and run.reported
        ]

    def adopt(self) -> None:
        """Move kills without a report to the report of the same process: messages do arrive out of order."""
        reports: dict[int, deque[Run]] = {}
        for run in self.all:
            if run.waits:
                for pid in dict.fromkeys((run.named_pid, run.selected.pid if run.selected else None)):
                    if pid is not None:
                        reports.setdefault(pid, deque()).append(run)
        for run in self.all:
            if run.victims and not (run.header or run.summary or run.selected):
                self._adopt(run, reports.get(run.victims[0].victim.pid, deque()))

    def _adopt(self, run: Run, reports: deque[Run]) -> None:
        while reports and (not reports[0].waits or reports[0].index < run.index - _RECORDS_OUT_OF_ORDER):
            reports.popleft()
        for report in islice(reports, _LATEST):
            near = report.index - run.index <= _RECORDS_OUT_OF_ORDER and not apart(report.record, run.record, 60)
            if report.waits and near:
                report.victims, run.victims = run.victims, []
                return


def choose(waiting: list[Run], pid: int, record: Record) -> Run | None:
    """Return the run that a process belongs to, of several that wait for their victim."""
    if len(waiting) < 2:
        return waiting[0] if waiting else None
    same_caller = [run for run in waiting if record.caller and run.caller == record.caller]
    naming = [run for run in waiting if run.named_pid == pid]
    if same_caller or naming:
        return (same_caller or naming)[0]
    with_row = [run for run in waiting if run.row(pid)]
    if with_row and len(with_row) < len(waiting):
        return with_row[0]
    interrupted = [run for run in waiting if run.interrupted]
    return interrupted[-1] if interrupted else waiting[0]
