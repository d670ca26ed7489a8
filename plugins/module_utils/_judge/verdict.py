# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts and thresholds to a verdict: what is wrong with a box, how badly, and why in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import has_lowered_its_limit
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.processes import match, tree
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, format_size, percent

SEVERITIES = ("ok", "warning", "critical")

_SSHD_NAME = "sshd"
_OOM_SPARED = -1000


@dataclass(frozen=True)
class Finding:
    """One reason why a box is in danger."""

    check: str
    severity: str
    subject: str | None
    value: float
    threshold: float
    unit: str
    message: str


def judge(facts, table, watchdog, thresholds, workers, oom_window, foresee=None):
    """Judge a box: a dictionary with verdict, findings (worst first), workers and oom_kills.

    V(facts) are the fact modules' dictionaries by name, V(table) the process table, V(watchdog) what the watchdog on the box has noted,
    V(thresholds) a merged dictionary, V(workers) a list of Worker and V(oom_window) seconds. V(foresee) is a function of what the
    workers use that gives forecasts.
    """
    readings = [_read_worker(worker, facts["lifeline_memory"], table, watchdog) for worker in workers]
    judge_box = _Judge(thresholds)
    _memory(judge_box, facts["lifeline_memory"], table)
    _pressure(judge_box, facts["lifeline_pressure"])
    _disks(judge_box, facts["lifeline_disks"])
    _fds(judge_box, facts["lifeline_fds"])
    kills = kills_in_window(facts, table, oom_window)
    _oom(judge_box, facts["lifeline_oom"], kills, oom_window)
    _workers(judge_box, readings, facts["lifeline_memory"])
    _given_up(judge_box, watchdog["noted"])
    _sshd(judge_box, table)
    _listeners(judge_box, facts.get("lifeline_listeners"))
    _forecasts(judge_box, foresee(readings) if foresee else ())
    findings = sorted(judge_box.findings, key=lambda finding: -SEVERITIES.index(finding.severity))
    return {
        "verdict": findings[0].severity if findings else "ok",
        "findings": [asdict(finding) for finding in findings],
        "workers": readings,
        "oom_kills": kills,
    }


def summary(verdict, findings, facts):
    """The verdict and its reasons in one line."""
    if findings:
        return f"{verdict}: {'; '.join((finding['message'] for finding in findings))}"
    memory = facts["lifeline_memory"]
    if memory["limit_available_bytes"] is None:
        return verdict
    sizes = format_size(memory["limit_available_bytes"]), format_size(memory["limit_bytes"])
    return "%s: %s of %s memory available" % (verdict, *sizes)


class _Judge:
    """Holds values against thresholds and collects what is found."""

    def __init__(self, thresholds):
        self._thresholds = thresholds
        self.findings = []

    def hold(self, name, value, message, subject=None):
        """Add a finding if V(value) has reached a threshold of the check V(name)."""
        if value is None:
            return
        check = CHECKS[name]
        for severity in ("critical", "warning"):
            threshold = self._thresholds[name][severity]
            if threshold is not None and check.reached(value, threshold):
                self.findings.append(Finding(name, severity, subject, value, threshold, check.unit, message))
                return


def _memory(judge, memory, table):
    judge.hold(
        "memory_available_percent",
        memory["limit_available_percent"],
        f"only {_size(memory['limit_available_bytes'])} of {_size(memory['limit_bytes'])} memory available{'' if memory['cgroup'] is None else ' (control group limit)'}{_largest(table)}",
    )
    swap = memory["swap"]
    judge.hold(
        "swap_used_percent",
        swap["used_percent"],
        f"{_size(swap['used_bytes'])} of {_size(swap['total_bytes'])} swap in use",
    )
    judge.hold(
        "slab_unreclaimable_percent",
        memory["slab_unreclaimable_percent"],
        f"the kernel itself holds {_size(memory['slab_unreclaimable_bytes'])} that it can't give back (unreclaimable slab)",
    )


def _largest(table):
    """Who holds the most memory, for a sentence about who holds too much."""
    largest = max(table.values(), key=lambda process: process["rss_bytes"] or 0, default=None)
    if largest is None or not largest["rss_bytes"]:
        return ""
    return f", {largest['name']} (pid {largest['pid']}) holds {format_size(largest['rss_bytes'])}"


def _pressure(judge, pressure):
    stall = pressure["pressure"]["memory"]
    if stall is not None:
        share = stall["full_avg60_percent"]
        judge.hold(
            "memory_pressure_percent",
            share,
            f"everything stood still {_number(share)} % of the last minute, waiting for memory",
        )
    load = pressure["load_per_cpu"]["five"]
    judge.hold(
        "load_per_cpu",
        load,
        f"load {_number(pressure['load']['five'])} on {pressure['cpus']} CPU{'' if pressure['cpus'] == 1 else 's'}",
    )
    steal = pressure["cpu_percent"]["steal"]
    judge.hold("steal_percent", steal, f"{_number(steal)} % of the CPU time went to other machines (steal)")


def _disks(judge, disks):
    for disk in disks["filesystems"]:
        mount = disk["mount"]
        if disk["hung"]:
            judge.hold("disks_hung", 1, f"{mount} doesn't answer ({disk['type']})", subject=mount)
        if mount == "/" and disk["read_only"] and not disk["always_full"]:
            judge.hold("root_read_only", 1, "the root file system is read-only", subject=mount)
        if disk["always_full"] or disk["read_only"]:
            continue
        judge.hold(
            "disk_used_percent",
            disk["used_percent"],
            f"{mount} is {_number(disk['used_percent'])} % full, {_size(disk['available_bytes'])} left",
            subject=mount,
        )
        judge.hold(
            "inodes_used_percent",
            disk["inodes_used_percent"],
            f"{mount} has used {_number(disk['inodes_used_percent'])} % of its inodes",
            subject=mount,
        )


def _fds(judge, fds):
    judge.hold(
        "fds_used_percent",
        fds["used_percent"],
        f"{fds['allocated']} of {fds['maximum']} descriptors of the system are open",
    )
    for process in fds["processes"]:
        if has_lowered_its_limit(process):
            continue
        judge.hold(
            "process_fds_used_percent",
            process["used_percent"],
            f"{process['name']} (pid {process['pid']}) has {process['open']} of its {process['soft_limit']} descriptors open",
            subject=process["name"],
        )
    above = fds["limit_above_maximum"]
    if above["processes"]:
        worst = above["processes"][0]
        judge.hold(
            "fd_limits_above_maximum",
            above["count"],
            f"the limit of {worst['soft_limit']} descriptors of {worst['name']} (pid {worst['pid']}) can't protect: the whole system has {fds['maximum']} (file-max)",
            subject=worst["name"],
        )


def kills_in_window(facts, table, window):
    """OOM kills in the last V(window) seconds, or None where neither the kernel's log nor its counter can tell.

    The log forgets; the counter doesn't, but counts from the start of the box on, whenever that was, and twice a victim whose whole control
    group is killed.
    """
    oom, uptime = facts["lifeline_oom"], table.get(1, {}).get("age_seconds")
    logged = oom["kills_in_log"] if any(log["readable"] for log in oom["sources"]) else None
    counted = oom["kills_since_boot"]
    if counted is not None and logged is not None and counted < logged:
        # The log of a container is the whole host's, and so is what this box's was before it was booted.
        return counted
    if counted is not None and uptime is not None and uptime <= window:
        return max(logged or 0, counted - sum(1 for event in oom["events"] if event["oom_group"]))
    return logged


def _oom(judge, oom, kills, window):
    if not kills:
        return
    last = ""
    if oom["events"] and oom["kills_in_log"] <= kills:
        last = f", last of {oom['events'][0]['name']} (pid {oom['events'][0]['pid']})"
    judge.hold("oom_kills", kills, f"{kills} OOM kill{'' if kills == 1 else 's'} in {format_duration(window)}{last}")


def _read_worker(worker, memory, table, watchdog):
    if worker.pidfile in watchdog["pids"]:
        pids = {watchdog["pids"][worker.pidfile]} & set(table)
    else:
        pids = set() if worker.pidfile else match(table, worker.pattern)
    noted = watchdog["noted"].get(worker.name, {})
    members = tree(table, pids)
    allowance = worker.allowance(memory["limit_bytes"])
    rss = sum(table[pid]["rss_bytes"] or 0 for pid in members)
    return {
        "name": worker.name,
        "required": worker.required,
        "pids": sorted(pids),
        "processes": len(members),
        "rss_bytes": rss if pids else None,
        "max_memory_bytes": allowance,
        "used_percent": percent(rss, allowance) if pids else None,
        "restarts": noted.get("restarts"),
        "given_up": noted.get("given_up", False),
        "paused": noted.get("paused", False),
    }


def is_missing(reading):
    return reading["required"] and not reading["pids"] and not reading["paused"]


def _workers(judge, readings, memory):
    for reading in readings:
        name, allowance = reading["name"], reading["max_memory_bytes"]
        if is_missing(reading):
            judge.hold("workers_missing", 1, _missing(name, memory), subject=name)
        judge.hold(
            "worker_memory_percent",
            reading["used_percent"],
            f"{name} uses {_size(reading['rss_bytes'])} of its {_size(allowance)}",
            subject=name,
        )
        judge.hold(
            "worker_allowance_percent",
            percent(allowance, memory["limit_bytes"]),
            f"{name} may use {_size(allowance)}, and the box has {_size(memory['limit_bytes'])}: that limit can never strike",
            subject=name,
        )


def _given_up(judge, noted):
    for name in sorted(name for name, state in noted.items() if state["given_up"]):
        judge.hold(
            "workers_given_up",
            1,
            f"the watchdog has given up on {name} after {noted[name]['restarts']} restarts: sidekiq-watchdog resume {name}",
            subject=name,
        )


def _missing(name, memory):
    available = memory["limit_available_percent"]
    idle = "" if available is None else f" ({_number(100 - available)} % of the memory is in use)"
    return f"worker {name} is not running{idle}"


def killable_sshd(table):
    """Only the box's own listener counts: its sessions are meant to be killable, and so are containers."""
    return [
        process
        for process in table.values()
        if process["name"] == _SSHD_NAME
        and process["ppid"] == 1
        and process["oom_score_adj"] is not None
        and process["oom_score_adj"] > _OOM_SPARED
    ]


def _sshd(judge, table):
    exposed = killable_sshd(table)
    if exposed:
        judge.hold(
            "sshd_killable",
            len(exposed),
            f"sshd (pid {exposed[0]['pid']}) is open to the OOM killer (oom_score_adj {exposed[0]['oom_score_adj']})",
            subject=_SSHD_NAME,
        )


def _listeners(judge, listeners):
    """Only what has a process of its own, that may be seen, is judged: what systemd alone holds runs nothing yet."""
    for service in listeners["unexpected"] if listeners else ():
        if service["pid"] not in (None, 1):
            judge.hold(
                "services_unexpected",
                1,
                service["text"] + ", and nobody asked for it",
                subject=service["unit"] or service["name"],
            )


def _forecasts(judge, forecasts):
    for forecast in forecasts:
        judge.hold(
            forecast["check"], round(forecast["seconds"] / 60, 1), forecast["message"], subject=forecast["subject"]
        )


def _size(count):
    return "?" if count is None else format_size(count)


def _number(value):
    return "?" if value is None else f"{value:.3g}"
