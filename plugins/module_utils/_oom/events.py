# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn runs of the OOM killer into events, one for each process that was killed.

A kill is several messages: who ran out of memory (`invoked oom-killer`), which limit was hit, a table of processes,
which process the kernel chose, and which it killed. Only the last one is always there: the kernel itself drops the
others if kills come fast, and people cut them off. So the message `Killed process` makes the event, and the others add
what they know if they belong to the same kill: by the victim's number if they tell it, else by their order. What was
said of one kill is never used for a second one.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Iterable, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape_or_none
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import readable
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.joiner import runs
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.messages import (
    CONSTRAINTS,
    Row,
    Selected,
    Summary,
    Victim,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.runs import Killed, Run
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.cgroup_units import unit_of


class Event(TypedDict):
    """A kill, as `oom_facts` documents it; its `time` is in seconds since 1970 here."""

    time: float | None
    uptime_seconds: float | None
    killer: str
    pid: int
    name: str | None
    uid: int | None
    score: int | None
    chosen_pid: int | None
    chosen_name: str | None
    chosen_score: int | None
    oom_score_adj: int | None
    total_vm_bytes: int | None
    anon_rss_bytes: int | None
    file_rss_bytes: int | None
    shmem_rss_bytes: int | None
    pgtables_bytes: int | None
    invoker: str | None
    constraint: str
    memcg: str | None
    task_memcg: str | None
    oom_group: bool | None
    unit: str | None
    limit_bytes: int | None
    usage_bytes: int | None
    source: str | None


KEYS = tuple(Event.__annotations__)
# How many numbers a row has from total_vm up to oom_score_adj, depending on the kernel.
_NUMBERS_OF_A_ROW = (5, 6, 8)


def kills(found: Iterable[Record], source: str | None = None) -> tuple[list[Event], int]:
    """Return the kills that one log's records tell of, and the number of runs that killed nothing."""
    events: list[Event] = []
    idle = 0
    for run in runs(found):
        victims = run.victims or _announced(run)
        events += [_event(run, killed, source) for killed in victims]
        idle += run.header and not victims
    return events, idle


def _announced(run: Run) -> list[Killed]:
    """Return the process that a run announced to kill, if the log has lost the kill itself."""
    if not run.waits:
        return []
    summary = run.summary
    if summary and summary.pid is not None:
        return [Killed(Victim(summary.pid, summary.name, uid=summary.uid), run.record, None)]
    if run.selected:
        return [Killed(Victim(run.selected.pid, run.selected.name), run.record, run.selected.why)]
    return []


def _event(run: Run, killed: Killed, source: str | None) -> Event:
    victim = killed.victim
    own = run.summary if run.named_pid in (None, victim.pid) else None
    row = run.row(victim.pid)
    stamped = killed.record if killed.record.uptime is not None or killed.record.epoch is not None else run.record
    invoker = _invoker(run)
    name = _name(run, victim, own, row)
    task_memcg = escape_or_none(_task_memcg(run, own))
    chosen = _chosen(run, victim, row)
    constraint, memcg = _constraint(run, killed.why)
    in_memcg = constraint == "memcg"
    return {
        "time": stamped.epoch,
        "uptime_seconds": stamped.uptime,
        "killer": "kernel",
        "pid": victim.pid,
        "name": _printable(name),
        "uid": _first(victim.uid, own.uid if own else None, row.uid if row else None),
        "score": _first(victim.score, _score(run, victim, row)),
        "chosen_pid": chosen.pid if chosen else None,
        "chosen_name": _printable(chosen.name) if chosen else None,
        "chosen_score": chosen.score if chosen else None,
        "oom_score_adj": _first(victim.oom_score_adj, _adjustment(run, row, victim.name) if row else None),
        "total_vm_bytes": victim.total_vm_bytes,
        "anon_rss_bytes": victim.anon_rss_bytes,
        "file_rss_bytes": victim.file_rss_bytes,
        "shmem_rss_bytes": victim.shmem_rss_bytes,
        "pgtables_bytes": victim.pgtables_bytes,
        "invoker": _printable(invoker),
        "constraint": constraint,
        "memcg": escape_or_none(memcg) if in_memcg else None,
        "task_memcg": task_memcg,
        "oom_group": True if run.group and run.victims and victim.pid == run.victims[0].victim.pid else None,
        "unit": unit_of(task_memcg),
        "limit_bytes": run.limit if in_memcg else None,
        "usage_bytes": run.usage if in_memcg else None,
        "source": source,
    }


def _printable(name: str | None) -> str | None:
    """Return a name as one line that a terminal prints as it is."""
    return None if name is None else escape_or_none(readable(name))


def _first(*values: int | None) -> int | None:
    """Return the first value that is known."""
    return next((value for value in values if value is not None), None)


def _invoker(run: Run) -> str | None:
    """Return the name in the header, else that in the report's line about the running task."""
    invoker, comm = run.invoker, run.comm
    if invoker is None:
        return comm if run.traced and comm else None
    if comm and invoker != comm and invoker.endswith(comm):
        # The rest in front of the name belongs to the log.
        front = invoker[: len(invoker) - len(comm)]
        return invoker if front[-1:].isalnum() else comm
    return invoker


def _name(run: Run, victim: Victim, own: Summary | None, row: Row | None) -> str | None:
    """Return the victim's name. If its own message ends inside it, another message of the run has it whole."""
    if victim.cut_name is None and victim.name is not None:
        return victim.name
    if run.selected and run.selected.pid == victim.pid and victim.cut_name is not None:
        return run.selected.name
    if own and own.name is not None:
        return own.name
    return (_row_name(run, row) if row else None) or victim.name or victim.cut_name


def _task_memcg(run: Run, own: Summary | None) -> str | None:
    if own is None and run.summary:
        return None
    if own is None:
        others = (run.limit_memcg, run.stats_memcg, run.group_memcg)
        if run.task_memcg is None:
            return _whole(run.cut_task_memcg, *others)
        return next((other for other in others if _is_cut(run.task_memcg, other)), run.task_memcg)
    if own.cut_task_memcg:
        return _whole(own.cut_task_memcg, run.task_memcg, run.group_memcg, run.stats_memcg)
    return own.task_memcg or (run.group_memcg if own.pid is None else None)


def _whole(cut: str | None, *paths: str | None) -> str | None:
    """Return the path that begins like one that was cut, or None if no message has it."""
    return next((path for path in paths if cut and path and path.startswith(cut)), None)


def _score(run: Run, victim: Victim, row: Row | None) -> int | None:
    """Return the score of the process that was chosen, unless its child died in its place."""
    return None if run.selected is None or _chosen(run, victim, row) else run.selected.score


def _chosen(run: Run, victim: Victim, row: Row | None) -> Selected | None:
    """Return the process that was chosen if another one died, such as its child."""
    chosen = run.selected
    if chosen is None or chosen.pid == victim.pid or _is_thread(run, chosen.pid, victim.pid, row):
        return None
    return chosen


def _is_thread(run: Run, chosen: int, pid: int, row: Row | None) -> bool:
    """Return whether the process that was chosen is a thread of the one that was killed, as far as the table tells."""
    if row is None:
        return False
    if run.row(chosen) is None:
        return run.columns is not None
    return run.has_thread(chosen, pid)


def _columns(run: Run) -> list[str] | None:
    """Return the names of a row's columns from total_vm on, if the log has the table's head."""
    return run.columns[2:] if run.columns and run.columns[:2] == ["uid", "tgid"] else None


def _adjustment(run: Run, row: Row, name: str | None) -> int | None:
    """Return oom_score_adj from a row of the table of processes; the name of the process is at the row's end."""
    rest = row.rest.rstrip()
    values = (rest[: -len(name)] if name and rest.endswith(" " + name) else rest).split()
    columns = _columns(run)
    if columns:
        if "oom_score_adj" not in columns:
            return None
        at = columns.index("oom_score_adj")
    else:
        numbers = len(list(takewhile(re.compile(r"-?\d{1,15}$").match, values[:9])))
        if numbers not in _NUMBERS_OF_A_ROW:
            return None
        at = numbers - 1
    if at >= len(values) or not re.match(r"-?\d{1,4}$", values[at]):
        return None
    value = int(values[at])
    return value if -1000 <= value <= 1000 else None


def _row_name(run: Run, row: Row) -> str | None:
    columns = _columns(run)
    if not columns:
        return None
    parts = row.rest.split(None, len(columns) - 1)
    return parts[-1].rstrip() if len(parts) == len(columns) else None


def _constraint(run: Run, why: str | None) -> tuple[str, str | None]:
    """Return which memory had run out, and the cgroup whose limit was hit."""
    summary = run.summary
    memcg = _memcg(run)
    limited = run.limit_memcg or run.cut_limit_memcg or summary and (summary.memcg or summary.cut_memcg)
    why = why or (run.selected.why if run.selected else None) or ""
    told = summary.constraint if summary else None
    if why.startswith("memory cgroup") or limited or told == "CONSTRAINT_MEMCG":
        return "memcg", memcg
    if told and told != "CONSTRAINT_NONE":
        return CONSTRAINTS[told], None
    if "mpol_bind" in why:
        return "mempolicy", None
    if "cpuset" in why:
        return "cpuset", None
    if why or told or summary and summary.whole_system:
        return "system", None
    if run.memcg_traced:
        return "memcg", memcg
    return "system" if run.system else "unknown", None


def _memcg(run: Run) -> str | None:
    """Return the cgroup whose limit was hit, from whichever message has its path whole."""
    summary, stats = run.summary, run.stats_memcg
    if summary and summary.memcg:
        return summary.memcg
    if summary and summary.cut_memcg:
        return _whole_limit(run, summary.cut_memcg)
    cut = run.cut_limit_memcg
    if cut and (run.limit_memcg is None or _is_cut(cut, run.task_memcg) or _is_cut(cut, stats)):
        return _whole_limit(run, cut)
    return run.limit_memcg or stats


def _whole_limit(run: Run, cut: str) -> str | None:
    """Return the path of the cgroup whose limit was hit, which begins like one that was cut.

    The victim's cgroup is that one or below it, so it is known if only a name is missing.
    """
    below = [path for path in (run.task_memcg, run.group_memcg) if path and "/" not in path[len(cut) :]]
    limit = run.limit_memcg if run.limit_memcg != cut else None
    return _whole(cut, limit, run.stats_memcg, *below)


def _is_cut(path: str, other: str | None) -> bool:
    """Return whether another path shows that a path was cut: it begins alike, and does not go on with a slash."""
    return other is not None and other.startswith(path) and other[len(path) : len(path) + 1] not in ("", "/")
