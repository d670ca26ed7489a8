# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the files of /proc/PID into a table of processes, and into the details of some."""

from __future__ import annotations

import re
from typing import Collection, Dict, Iterable, List, Mapping, Optional, Pattern, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import (
    Limit,
    Process,
    ProcessDetails,
    Table,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape, escape_or_none
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, page_size, stat
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units

SOURCES = clock.SOURCES + page_size.SOURCES

# The files that are read of every process, which is cheap even with thousands of processes.
TABLE_FILES = ("stat", "oom_score_adj", "limits", "cmdline")
# A user can give a process a command line of megabytes; the other files are smaller than this.
READ_LIMIT = 4096
# Further files that are read of the chosen processes.
DETAIL_FILES = ("status", "cgroup", "oom_score", "smaps_rollup")

_PATH = re.compile(r"^/proc/([0-9]{1,10})/stat\Z")
_NUMBER = re.compile(r"^-?[0-9]{1,20}\Z")
_KILOBYTES = re.compile(r"\s*([0-9]{1,17}) kB")
_PSS = re.compile(r"^Pss:(.*)$", re.MULTILINE)


def parse_table(sources: Sources) -> Table:
    """Return all processes by their id, from the files TABLE_FILES; a value is None if it could not be read."""
    stats: Dict[int, stat.Stat] = {}
    for path, text in sources.items():
        found = _PATH.match(path)
        parsed = stat.parse(text) if found else None
        if found and parsed:
            stats[int(found.group(1))] = parsed
    page, uptime = page_size.page_size(sources), _kernel_uptime(sources, stats.values())
    return {pid: _process(pid, parsed, sources, page, uptime) for pid, parsed in stats.items()}


def match(table: Table, pattern: Pattern[str]) -> Set[int]:
    """Return the ids of the processes that a pattern finds, without those whose parent it finds too.

    A worker's children are part of it. The pattern is searched in the command line, whose arguments are separated by
    blanks, or in the name if there is no command line.
    """
    found = {pid for pid, process in table.items() if pattern.search(_searched(process))}
    return {pid for pid in found if table[pid]["ppid"] not in found}


def choose(table: Table, names: Collection[str], pids: Collection[int], pattern: Optional[str]) -> List[int]:
    """Return the ids of the processes that have one of the names or ids, or that the pattern finds."""
    wanted = re.compile(pattern) if pattern else None
    return [
        pid
        for pid, process in table.items()
        if process["name"] in names or pid in pids or (wanted is not None and wanted.search(_searched(process)))
    ]


def tree(table: Table, pids: Iterable[int]) -> Set[int]:
    """Return the processes and all their descendants, as far as they are in the table."""
    children: Dict[int, List[int]] = {}
    for pid, process in table.items():
        children.setdefault(process["ppid"], []).append(pid)
    members: Set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in table and pid not in members:
            members.add(pid)
            waiting += children.get(pid, ())
    return members


def details(process: Process, sources: Sources, users: Mapping[int, str]) -> ProcessDetails:
    """Return the facts of one process of the table, with what DETAIL_FILES add. `users` maps user ids to names.

    The caller adds its open descriptors and its mappings.
    """
    folder = f"/proc/{process['pid']}/"
    booted = clock.boot_time(sources)
    status = dict(line.split(":", 1) for line in sources.get(folder + "status", "").splitlines() if ":" in line)
    rollup = _PSS.search(sources.get(folder + "smaps_rollup", ""))
    uid = _integer("".join(status.get("Uid", "").split()[1:2]))
    cgroup = _cgroup(sources.get(folder + "cgroup", ""))
    limits = parse_limits(sources.get(folder + "limits", ""))
    return {
        "pid": process["pid"],
        "ppid": process["ppid"],
        "name": process["name"],
        "state": process["state"],
        "nice": process["nice"],
        "threads": process["threads"],
        "rss_bytes": process["rss_bytes"],
        "virtual_bytes": process["virtual_bytes"],
        "cpu_seconds": process["cpu_seconds"],
        "age_seconds": process["age_seconds"],
        "kernel_thread": process["kernel_thread"],
        "command_line": process["command_line"],
        "oom_score_adj": process["oom_score_adj"],
        "fd_soft_limit": process["fd_soft_limit"],
        "fd_hard_limit": process["fd_hard_limit"],
        "uid": uid,
        "user": None if uid is None else users.get(uid),
        "cgroup": escape_or_none(cgroup),
        "unit": cgroup_units.unit_of(cgroup),
        "rss_peak_bytes": _kilobytes(status.get("VmHWM")),
        "swap_bytes": _kilobytes(status.get("VmSwap")),
        "pss_bytes": _kilobytes(rollup.group(1)) if rollup else None,
        "oom_score": _integer(sources.get(folder + "oom_score")),
        "limits": {name.replace(" ", "_"): limit for name, limit in limits.items()},
        "started": timestamp(None if booted is None else booted + process["started_seconds"]),
        "open_fds": None,
        "maps": None,
    }


def parse_limits(text: str) -> Dict[str, Limit]:
    """Return the limits by the kernel's name for them, such as "open files"; None is unlimited."""
    limits: Dict[str, Limit] = {}
    for line in text.splitlines():
        # From behind: soft limit, hard limit and, unless the limit is a plain number, its unit.
        words = line.split()
        if line.startswith("Max ") and words[-1].isalpha() and words[-1] != "unlimited":
            words.pop()
        if line.startswith("Max ") and len(words) >= 4 and _is_limit(words[-1]) and _is_limit(words[-2]):
            limits[escape(" ".join(words[1:-2]))] = {"soft": _limit(words[-2]), "hard": _limit(words[-1])}
    return limits


def _kernel_uptime(sources: Sources, stats: Iterable[stat.Stat]) -> Optional[float]:
    """Return the kernel's uptime. lxcfs gives a container an uptime of its own, but processes start by the kernel's."""
    uptime = clock.uptime(sources)
    return None if uptime is None else max([uptime, *(found.start_ticks / stat.TICKS_PER_SECOND for found in stats)])


def _process(pid: int, parsed: stat.Stat, sources: Sources, page: int, uptime: Optional[float]) -> Process:
    limits = parse_limits(sources.get(f"/proc/{pid}/limits", ""))
    descriptors = limits.get("open files", {"soft": None, "hard": None})
    command_line = sources.get(f"/proc/{pid}/cmdline")
    started = parsed.start_ticks / stat.TICKS_PER_SECOND
    return {
        "pid": pid,
        "ppid": parsed.ppid,
        "name": escape(parsed.name),
        "state": parsed.state,
        "nice": parsed.nice,
        "threads": parsed.threads,
        "rss_bytes": parsed.rss_pages * page,
        "virtual_bytes": parsed.virtual_bytes,
        "cpu_seconds": round((parsed.user_ticks + parsed.system_ticks) / stat.TICKS_PER_SECOND, 2),
        "started_seconds": started,
        "age_seconds": None if uptime is None else round(max(0.0, uptime - started), 2),
        "kernel_thread": parsed.is_kernel_thread,
        "command_line": None if command_line is None else escape(command_line.replace("\0", " ").strip()),
        "oom_score_adj": _integer(sources.get(f"/proc/{pid}/oom_score_adj")),
        "fd_soft_limit": descriptors["soft"],
        "fd_hard_limit": descriptors["hard"],
    }


def _searched(process: Process) -> str:
    return process["command_line"] or process["name"]


def _is_limit(word: str) -> bool:
    return word == "unlimited" or (word.isdecimal() and len(word) <= 20)


def _limit(word: str) -> Optional[int]:
    return None if word == "unlimited" else int(word)


def _cgroup(text: str) -> Optional[str]:
    """Return the path in version 2's hierarchy, or in systemd's own one of version 1."""
    paths = cgroup_units.paths(text)
    return paths.get("name=systemd") or paths.get("")


def _kilobytes(text: Optional[str]) -> Optional[int]:
    found = _KILOBYTES.match(text or "")
    return int(found.group(1)) * 1024 if found else None


def _integer(text: Optional[str]) -> Optional[int]:
    text = (text or "").strip()
    return int(text) if _NUMBER.match(text) else None
