# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse load, pressure stall information and the rates of vmstat into the facts `lifeline_pressure`."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import CpuShares, Load, Pressure, Stall
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, page_size
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

NETSTAT = "/proc/net/netstat"
COUNTERS = clock.SOURCES + ("/proc/vmstat",)
SOURCES = ("/proc/loadavg", "/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io", NETSTAT) + COUNTERS

_CPU_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
_CPUS = re.compile(r"^cpu\d+ ", re.MULTILINE)
_CPU_TIMES = re.compile(r"^cpu +([0-9][0-9 ]*)$", re.MULTILINE)
_COUNTER = re.compile(r"^(\w+) (\d{1,20})\b", re.MULTILINE)
_FLOAT = re.compile(r"^\d{1,15}(\.\d{1,9})?$")
_SHARE = r"([0-9]{1,9}\.[0-9]{1,9})"
_PRESSURE = re.compile(
    rf"^(some|full) avg10={_SHARE} avg60={_SHARE} avg300={_SHARE} total=([0-9]{{1,20}})[ \t]*$", re.MULTILINE
)


class _Counters(NamedTuple):
    """The kernel's counters since boot, and the tasks that run at the moment."""

    uptime: Optional[float]
    cpu: Dict[str, int]
    cpus: Optional[int]
    forks: Optional[int]
    context_switches: Optional[int]
    running: Optional[int]
    blocked: Optional[int]
    swap_in: Optional[int]
    swap_out: Optional[int]
    major_faults: Optional[int]


# The numbers of a reading that the next one is compared with, by name.
Counts = Dict[str, float]


def counts(sources: Sources) -> Counts:
    """Return the kernel's counts since boot that a history keeps, for the rates between two readings."""
    now = _counters(sources)
    found: Dict[str, Optional[float]] = {
        "uptime_seconds": now.uptime,
        "cpu_ticks": sum(now.cpu.get(state, 0) for state in _CPU_STATES[:8]) or None,
        "steal_ticks": now.cpu.get("steal"),
        "swap_in_bytes": now.swap_in,
        "major_faults": now.major_faults,
        "listen_drops": _listen_drops(sources.get(NETSTAT, "")),
    }
    return {name: value for name, value in found.items() if value is not None}


class Rates(NamedTuple):
    """The rates between two readings; None for one that is unknown."""

    seconds: Optional[float] = None
    steal_percent: Optional[float] = None
    swap_in_bytes_per_second: Optional[float] = None
    major_faults_per_second: Optional[float] = None
    listen_drops_per_minute: Optional[float] = None


def rates(now: Counts, before: Counts) -> Rates:
    """Return the rates between two readings, none if the host was booted in between."""
    seconds = now.get("uptime_seconds", 0) - before.get("uptime_seconds", 0)
    if seconds <= 0 or "uptime_seconds" not in before:
        return Rates()

    def grown(name: str) -> Optional[float]:
        if name not in now or name not in before or now[name] < before[name]:
            return None
        return now[name] - before[name]

    def per_second(name: str) -> Optional[float]:
        count = grown(name)
        return None if count is None else round(count / seconds, 2)

    drops = grown("listen_drops")
    return Rates(
        seconds,
        percent(grown("steal_ticks"), grown("cpu_ticks")),
        per_second("swap_in_bytes"),
        per_second("major_faults"),
        None if drops is None else round(60 * drops / seconds, 1),
    )


def parse(sources: Sources, earlier: Optional[Sources] = None) -> Pressure:
    """Return the facts about load and pressure.

    The rates are those since `earlier`, sources of the same host; without it, those since the boot.
    """
    now, before = _counters(sources), _counters(earlier or {})
    seconds = None if now.uptime is None else now.uptime - (before.uptime or 0)
    load, threads = _load(sources.get("/proc/loadavg", ""))
    return {
        "uptime_seconds": now.uptime,
        "cpus": now.cpus,
        "load": load,
        "load_per_cpu": {
            "one": _per_cpu(load["one"], now.cpus),
            "five": _per_cpu(load["five"], now.cpus),
            "fifteen": _per_cpu(load["fifteen"], now.cpus),
        },
        "running": now.running,
        "blocked": now.blocked,
        "threads": threads,
        "pressure": {
            "cpu": _stall(sources.get("/proc/pressure/cpu")),
            "memory": _stall(sources.get("/proc/pressure/memory")),
            "io": _stall(sources.get("/proc/pressure/io")),
        },
        "sampled_seconds": None if seconds is None else round(seconds, 2),
        "since_boot": earlier is None,
        "cpu_percent": _cpu(now.cpu, before.cpu),
        "swap_in_bytes_per_second": _rate(now.swap_in, before.swap_in, seconds),
        "swap_out_bytes_per_second": _rate(now.swap_out, before.swap_out, seconds),
        "major_faults_per_second": _rate(now.major_faults, before.major_faults, seconds),
        "forks_per_second": _rate(now.forks, before.forks, seconds),
        "context_switches_per_second": _rate(now.context_switches, before.context_switches, seconds),
    }


def _counters(sources: Sources) -> _Counters:
    text = sources.get("/proc/stat", "")
    stat, vmstat = dict(_COUNTER.findall(text)), dict(_COUNTER.findall(sources.get("/proc/vmstat", "")))
    page = page_size.page_size(sources)
    return _Counters(
        uptime=clock.uptime(sources),
        cpu=_cpu_times(text),
        cpus=len(_CPUS.findall(text)) or None,
        forks=_number(stat.get("processes")),
        context_switches=_number(stat.get("ctxt")),
        running=_number(stat.get("procs_running")),
        blocked=_number(stat.get("procs_blocked")),
        swap_in=_times(_number(vmstat.get("pswpin")), page),
        swap_out=_times(_number(vmstat.get("pswpout")), page),
        major_faults=_number(vmstat.get("pgmajfault")),
    )


def _listen_drops(netstat: str) -> Optional[int]:
    """Return how many connections the kernel has dropped because a queue of a listening socket was full."""
    lines = [line.split() for line in netstat.splitlines() if line.startswith("TcpExt: ")]
    if len(lines) != 2:
        return None
    count = dict(zip(*lines)).get("ListenOverflows", "")
    return int(count) if count.isdecimal() and len(count) < 20 else None


def _cpu_times(stat: str) -> Dict[str, int]:
    line = _CPU_TIMES.search(stat)
    ticks = [int(value) for value in line.group(1).split() if len(value) < 20] if line else []
    return dict(zip(_CPU_STATES, ticks))


def _cpu(now: Mapping[str, int], before: Mapping[str, int]) -> CpuShares:
    """Return each state's share of the CPU time. `user` includes the time of guests, as the kernel counts it there."""
    spent = {state: max(0, now[state] - before.get(state, 0)) for state in now}
    total = sum(spent.get(state, 0) for state in _CPU_STATES[:8])
    return {
        "user": percent(spent.get("user"), total),
        "nice": percent(spent.get("nice"), total),
        "system": percent(spent.get("system"), total),
        "idle": percent(spent.get("idle"), total),
        "iowait": percent(spent.get("iowait"), total),
        "irq": percent(spent.get("irq"), total),
        "softirq": percent(spent.get("softirq"), total),
        "steal": percent(spent.get("steal"), total),
    }


def _load(text: str) -> Tuple[Load, Optional[int]]:
    """Return the load averages and the number of threads."""
    fields = text.split(None, 4)
    if len(fields) < 4:
        return {"one": None, "five": None, "fifteen": None}, None
    one, five, fifteen = (_float(value) for value in fields[:3])
    threads = fields[3].partition("/")[2]
    number = int(threads) if threads.isdecimal() and len(threads) < 19 else None
    return {"one": one, "five": five, "fifteen": fifteen}, number


def _per_cpu(load: Optional[float], cpus: Optional[int]) -> Optional[float]:
    return None if load is None or not cpus else round(load / cpus, 2)


def _stall(text: Optional[str]) -> Optional[Stall]:
    """Return the shares of time in which some, or all, tasks waited; None if the kernel does not measure it."""
    lines: Dict[str, List[str]] = {kind: averages for kind, *averages in _PRESSURE.findall(text or "")}
    if not lines:
        return None
    some, full = _averages(lines.get("some")), _averages(lines.get("full"))
    return {
        "some_avg10_percent": some.avg10,
        "some_avg60_percent": some.avg60,
        "some_avg300_percent": some.avg300,
        "some_total_microseconds": some.total,
        "full_avg10_percent": full.avg10,
        "full_avg60_percent": full.avg60,
        "full_avg300_percent": full.avg300,
        "full_total_microseconds": full.total,
    }


class _Averages(NamedTuple):
    avg10: Optional[float]
    avg60: Optional[float]
    avg300: Optional[float]
    total: Optional[int]


def _averages(values: Optional[List[str]]) -> _Averages:
    if values is None:
        return _Averages(None, None, None, None)
    return _Averages(float(values[0]), float(values[1]), float(values[2]), int(values[3]))


def _rate(now: Optional[int], before: Optional[int], seconds: Optional[float]) -> Optional[float]:
    if now is None or not seconds or seconds <= 0:
        return None
    return round(max(0, now - (before or 0)) / seconds, 2)


def _number(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)


def _times(count: Optional[int], size: int) -> Optional[int]:
    return None if count is None else count * size


def _float(text: str) -> Optional[float]:
    return float(text) if _FLOAT.match(text) else None
