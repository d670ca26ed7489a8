# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a box, out of the files of /proc/PID."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, page_size, stat
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units

SOURCES = clock.SOURCES + page_size.SOURCES

# What the table of all processes is made of, a file each; cheap even with thousands of them.
TABLE_FILES = ("stat", "oom_score_adj", "limits", "cmdline")
# What is read further of the processes that were chosen.
DETAIL_FILES = ("status", "cgroup", "oom_score", "smaps_rollup")

_PATH = re.compile(r"^/proc/(\d{1,10})/stat$")
_LIMIT = re.compile(r"^Max (.+?) {2,}(\d{1,20}|unlimited) +(\d{1,20}|unlimited) *(\w*) *$", re.MULTILINE)
_NUMBER = re.compile(r"^-?\d{1,20}$")
_KILOBYTES = re.compile(r"\s*(\d{1,17}) kB")


def parse_table(sources):
    """All processes by their number, from the files TABLE_FILES; a value is None where it could not be read."""
    page = page_size.page_size(sources)
    stats = {}
    for path, text in sources.items():
        found = _PATH.match(path)
        parsed = stat.parse(text) if found else None
        if parsed:
            stats[int(found.group(1))] = parsed
    uptime = _kernel_uptime(sources, stats.values())
    table = {}
    for pid, parsed in stats.items():
        process = _process(pid, parsed, page, uptime)
        limits = parse_limits(sources.get(f"/proc/{pid}/limits", ""))
        descriptors = limits.get("open files", {"soft": None, "hard": None})
        command_line = sources.get(f"/proc/{pid}/cmdline")
        process.update(
            command_line=None if command_line is None else command_line.replace("\0", " ").strip(),
            oom_score_adj=_integer(sources.get(f"/proc/{pid}/oom_score_adj")),
            fd_soft_limit=descriptors["soft"],
            fd_hard_limit=descriptors["hard"],
        )
        table[pid] = process
    return table


def match(table, pattern):
    """The processes that V(pattern) finds, without those whose parent it finds as well: a worker's children are part of it.

    It is searched in the command line, arguments separated by blanks, or in the name where there is none.
    """
    found = {pid for pid, process in table.items() if pattern.search(_searched(process))}
    return {pid for pid in found if table[pid]["ppid"] not in found}


def choose(table, names, pids, pattern):
    """The processes of one of these names or numbers, or that V(pattern), if there is one, finds."""
    wanted = re.compile(pattern) if pattern else None
    return [
        pid
        for pid, process in table.items()
        if process["name"] in names or pid in pids or (wanted is not None and wanted.search(_searched(process)))
    ]


def tree(table, pids):
    """V(pids) and all their descendants, as far as they are in the table."""
    children = {}
    for pid, process in table.items():
        children.setdefault(process["ppid"], []).append(pid)
    members, waiting = set(), list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in table and pid not in members:
            members.add(pid)
            waiting += children.get(pid, ())
    return members


def details(process, sources, users):
    """The facts of one process of the table, with what DETAIL_FILES add. V(users) maps user ids to names."""
    folder = f"/proc/{process['pid']}/"
    booted = clock.boot_time(sources)
    status = dict(line.split(":", 1) for line in sources.get(folder + "status", "").splitlines() if ":" in line)
    rollup = sources.get(folder + "smaps_rollup")
    uid = _integer("".join(status.get("Uid", "").split()[1:2]))
    cgroup = _cgroup(sources.get(folder + "cgroup", ""))
    facts = dict(process)
    facts.update(
        uid=uid,
        user=users.get(uid),
        cgroup=cgroup,
        unit=cgroup_units.unit_of(cgroup),
        rss_peak_bytes=_kilobytes(status.get("VmHWM")),
        swap_bytes=_kilobytes(status.get("VmSwap")),
        pss_bytes=None if rollup is None else _kilobytes(_line(rollup, "Pss")),
        oom_score=_integer(sources.get(folder + "oom_score")),
        limits=_named_limits(parse_limits(sources.get(folder + "limits", ""))),
        started=timestamp(None if booted is None else booted + process["started_seconds"]),
    )
    del facts["started_seconds"]
    return facts


def parse_limits(text):
    """The limits by the kernel's name for them, such as C(open files): soft and hard; None is unlimited."""
    return {
        name: {"soft": None if soft == "unlimited" else int(soft), "hard": None if hard == "unlimited" else int(hard)}
        for name, soft, hard, _unit in _LIMIT.findall(text)
    }


def _kernel_uptime(sources, stats):
    """Return the kernel's uptime. lxcfs gives a container an uptime of its own, but processes start by the kernel's."""
    uptime = clock.uptime(sources)
    return None if uptime is None else max([uptime, *(found.start_ticks / stat.TICKS_PER_SECOND for found in stats)])


def _process(pid, found, page, uptime):
    started = found.start_ticks / stat.TICKS_PER_SECOND
    return {
        "pid": pid,
        "ppid": found.ppid,
        "name": found.name,
        "state": found.state,
        "nice": found.nice,
        "threads": found.threads,
        "rss_bytes": found.rss_pages * page,
        "virtual_bytes": found.virtual_bytes,
        "cpu_seconds": round((found.user_ticks + found.system_ticks) / stat.TICKS_PER_SECOND, 2),
        "started_seconds": started,
        "age_seconds": None if uptime is None else round(max(0.0, uptime - started), 2),
        "kernel_thread": found.is_kernel_thread,
    }


def _searched(process):
    return process["command_line"] or process["name"]


def _named_limits(limits):
    return {name.replace(" ", "_"): limit for name, limit in limits.items()}


def _cgroup(text):
    """The path in cgroup v2's hierarchy, or in systemd's own one of v1."""
    paths = cgroup_units.paths(text)
    return paths.get("name=systemd") or paths.get("")


def _line(text, name):
    found = re.search(rf"^{name}:(.*)$", text, re.MULTILINE)
    return found.group(1) if found else None


def _kilobytes(text):
    found = _KILOBYTES.match(text or "")
    return int(found.group(1)) * 1024 if found else None


def _integer(text):
    text = (text or "").strip()
    return int(text) if _NUMBER.match(text) else None
