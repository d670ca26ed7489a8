# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load, pressure stall information and the rates of C(vmstat), as the facts C(lifeline_pressure)."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, page_size
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

COUNTERS = clock.SOURCES + ("/proc/vmstat",)
SOURCES = ("/proc/loadavg", "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io") + COUNTERS

_CPU_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
_CPUS = re.compile(r"^cpu\d+ ", re.MULTILINE)
_CPU_TIMES = re.compile(r"^cpu +([\d ]+)$", re.MULTILINE)
_COUNTER = re.compile(r"^(\w+) (\d{1,20})\b", re.MULTILINE)
_FLOAT = re.compile(r"^\d{1,15}(\.\d{1,9})?$")
_PRESSURE = re.compile(
    r"^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d{1,20})\s*$", re.MULTILINE
)


def parse(sources, earlier=None):
    """The facts dictionary. The rates are those between V(earlier), sources of the same box, and V(sources); since boot without it."""
    now, before = _counters(sources), _counters(earlier or {})
    seconds = None if now["uptime"] is None else now["uptime"] - (before["uptime"] or 0)
    cpus = now["cpus"]
    load = _load(sources.get("/proc/loadavg", ""))
    facts = {
        "uptime_seconds": now["uptime"],
        "cpus": cpus,
        "load": load,
        "load_per_cpu": {
            name: None if load[name] is None or not cpus else round(load[name] / cpus, 2)
            for name in ("one", "five", "fifteen")
        },
        "running": now["running"],
        "blocked": now["blocked"],
        "threads": load.pop("threads"),
        "pressure": {name: _stall(sources.get("/proc/pressure/" + name)) for name in ("cpu", "memory", "io")},
        "sampled_seconds": None if seconds is None else round(seconds, 2),
        "since_boot": earlier is None,
        "cpu_percent": _cpu(now["cpu"], before["cpu"]),
    }
    for fact, counter in (
        ("swap_in_bytes_per_second", "swap_in"),
        ("swap_out_bytes_per_second", "swap_out"),
        ("major_faults_per_second", "major_faults"),
        ("forks_per_second", "forks"),
        ("context_switches_per_second", "context_switches"),
    ):
        facts[fact] = _rate(now[counter], before[counter], seconds)
    return facts


def _counters(sources):
    text = sources.get("/proc/stat", "")
    stat, vmstat = dict(_COUNTER.findall(text)), dict(_COUNTER.findall(sources.get("/proc/vmstat", "")))
    page = page_size.page_size(sources)
    return {
        "uptime": clock.uptime(sources),
        "cpu": _cpu_times(text),
        "cpus": len(_CPUS.findall(text)) or None,
        "forks": _number(stat.get("processes")),
        "context_switches": _number(stat.get("ctxt")),
        "running": _number(stat.get("procs_running")),
        "blocked": _number(stat.get("procs_blocked")),
        "swap_in": _times(_number(vmstat.get("pswpin")), page),
        "swap_out": _times(_number(vmstat.get("pswpout")), page),
        "major_faults": _number(vmstat.get("pgmajfault")),
    }


def _cpu_times(stat):
    line = _CPU_TIMES.search(stat)
    ticks = [int(value) for value in line.group(1).split() if len(value) < 20] if line else []
    return dict(zip(_CPU_STATES, ticks))


def _cpu(now, before):
    """Each state's share of all CPU time; C(user) holds the guests' time already, as the kernel counts it there."""
    spent = {state: max(0, now[state] - before.get(state, 0)) for state in now}
    total = sum(spent.get(state, 0) for state in _CPU_STATES[:8])
    return {state: percent(spent.get(state), total) for state in _CPU_STATES[:8]}


def _load(text):
    fields = text.split()
    load = {"one": None, "five": None, "fifteen": None, "threads": None}
    if len(fields) >= 4:
        load.update(zip(("one", "five", "fifteen"), (_float(value) for value in fields[:3])))
        threads = fields[3].partition("/")[2]
        load["threads"] = int(threads) if threads.isdecimal() and len(threads) < 19 else None
    return load


def _stall(text):
    """Shares of time in which some, or all, tasks waited; None where the kernel doesn't measure it."""
    lines = {kind: averages for kind, *averages in _PRESSURE.findall(text or "")}
    if not lines:
        return None
    stall = {}
    for kind in ("some", "full"):
        values = lines.get(kind, [None] * 4)
        for name, value in zip(("avg10_percent", "avg60_percent", "avg300_percent"), values):
            stall[f"{kind}_{name}"] = None if value is None else float(value)
        stall[f"{kind}_total_microseconds"] = None if values[3] is None else int(values[3])
    return stall


def _rate(now, before, seconds):
    if now is None or not seconds or seconds <= 0:
        return None
    return round(max(0, now - (before or 0)) / seconds, 2)


def _number(text):
    return None if text is None else int(text)


def _times(count, size):
    return None if count is None else count * size


def _float(text):
    return float(text) if _FLOAT.match(text) else None
