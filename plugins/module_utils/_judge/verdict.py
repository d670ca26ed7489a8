# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From facts and thresholds to a verdict: what is wrong with a box, how badly, and why in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import has_lowered_its_limit
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.processes import (
    match,
    tree,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import (
    format_duration,
    format_size,
    percent,
)

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
        return "%s: %s" % (verdict, "; ".join(finding["message"] for finding in findings))
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
    judge.hold("memory_available_percent", memory["limit_available_percent"],
               "only %s of %s memory available%s%s" % (
                   _size(memory["limit_available_bytes"]), _size(memory["limit_bytes"]),
                   "" if memory["cgroup"] is None else " (control group limit)", _largest(table)))
    swap = memory["swap"]
    judge.hold("swap_used_percent", swap["used_percent"],
               "%s of %s swap in use" % (_size(swap["used_bytes"]), _size(swap["total_bytes"])))
    judge.hold("slab_unreclaimable_percent", memory["slab_unreclaimable_percent"],
               "the kernel itself holds %s that it can't give back (unreclaimable slab)"
               % _size(memory["slab_unreclaimable_bytes"]))


def _largest(table):
    """Who holds the most memory, for a sentence about who holds too much."""
    largest = max(table.values(), key=lambda process: process["rss_bytes"] or 0, default=None)
    if largest is None or not largest["rss_bytes"]:
        return ""
    return ", %s (pid %d) holds %s" % (largest["name"], largest["pid"], format_size(largest["rss_bytes"]))


def _pressure(judge, pressure):
    stall = pressure["pressure"]["memory"]
    if stall is not None:
        share = stall["full_avg60_percent"]
        judge.hold("memory_pressure_percent", share,
                   "everything stood still %s %% of the last minute, waiting for memory" % _number(share))
    load = pressure["load_per_cpu"]["five"]
    judge.hold("load_per_cpu", load, "load %s on %s CPU%s" % (
        _number(pressure["load"]["five"]), pressure["cpus"], "" if pressure["cpus"] == 1 else "s"))
    steal = pressure["cpu_percent"]["steal"]
    judge.hold("steal_percent", steal, "%s %% of the CPU time went to other machines (steal)" % _number(steal))


def _disks(judge, disks):
    for disk in disks["filesystems"]:
        mount = disk["mount"]
        if disk["hung"]:
            judge.hold("disks_hung", 1, "%s doesn't answer (%s)" % (mount, disk["type"]), subject=mount)
        if mount == "/" and disk["read_only"] and not disk["always_full"]:
            judge.hold("root_read_only", 1, "the root file system is read-only", subject=mount)
        if disk["always_full"] or disk["read_only"]:
            continue
        judge.hold("disk_used_percent", disk["used_percent"],
                   "%s is %s %% full, %s left" % (mount, _number(disk["used_percent"]), _size(disk["available_bytes"])),
                   subject=mount)
        judge.hold("inodes_used_percent", disk["inodes_used_percent"],
                   "%s has used %s %% of its inodes" % (mount, _number(disk["inodes_used_percent"])), subject=mount)


def _fds(judge, fds):
    judge.hold("fds_used_percent", fds["used_percent"],
               "%s of %s descriptors of the system are open" % (fds["allocated"], fds["maximum"]))
    for process in fds["processes"]:
        if has_lowered_its_limit(process):
            continue
        judge.hold("process_fds_used_percent", process["used_percent"],
                   "%s (pid %d) has %s of its %s descriptors open"
                   % (process["name"], process["pid"], process["open"], process["soft_limit"]),
                   subject=process["name"])
    above = fds["limit_above_maximum"]
    if above["processes"]:
        worst = above["processes"][0]
        judge.hold("fd_limits_above_maximum", above["count"],
                   "the limit of %s descriptors of %s (pid %d) can't protect: the whole system has %s (file-max)"
                   % (worst["soft_limit"], worst["name"], worst["pid"], fds["maximum"]), subject=worst["name"])


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
        last = ", last of %s (pid %s)" % (oom["events"][0]["name"], oom["events"][0]["pid"])
    judge.hold("oom_kills", kills, "%d OOM kill%s in %s%s" % (kills, "" if kills == 1 else "s", format_duration(window), last))


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
        judge.hold("worker_memory_percent", reading["used_percent"],
                   "%s uses %s of its %s" % (name, _size(reading["rss_bytes"]), _size(allowance)), subject=name)
        judge.hold("worker_allowance_percent", percent(allowance, memory["limit_bytes"]),
                   "%s may use %s, and the box has %s: that limit can never strike"
                   % (name, _size(allowance), _size(memory["limit_bytes"])), subject=name)


def _given_up(judge, noted):
    for name in sorted(name for name, state in noted.items() if state["given_up"]):
        judge.hold("workers_given_up", 1, "the watchdog has given up on %s after %d restarts: sidekiq-watchdog resume %s"
                   % (name, noted[name]["restarts"], name), subject=name)


def _missing(name, memory):
    available = memory["limit_available_percent"]
    idle = "" if available is None else " (%s %% of the memory is in use)" % _number(100 - available)
    return "worker %s is not running%s" % (name, idle)


def killable_sshd(table):
    """Only the box's own listener counts: its sessions are meant to be killable, and so are containers."""
    return [process for process in table.values()
            if process["name"] == _SSHD_NAME and process["ppid"] == 1
            and process["oom_score_adj"] is not None and process["oom_score_adj"] > _OOM_SPARED]


def _sshd(judge, table):
    exposed = killable_sshd(table)
    if exposed:
        judge.hold("sshd_killable", len(exposed), "sshd (pid %d) is open to the OOM killer (oom_score_adj %d)"
                   % (exposed[0]["pid"], exposed[0]["oom_score_adj"]), subject=_SSHD_NAME)


def _listeners(judge, listeners):
    """Only what has a process of its own, that may be seen, is judged: what systemd alone holds runs nothing yet."""
    for service in listeners["unexpected"] if listeners else ():
        if service["pid"] not in (None, 1):
            judge.hold("services_unexpected", 1, service["text"] + ", and nobody asked for it", subject=service["unit"] or service["name"])


def _forecasts(judge, forecasts):
    for forecast in forecasts:
        judge.hold(forecast["check"], round(forecast["seconds"] / 60, 1), forecast["message"], subject=forecast["subject"])


def _size(count):
    return "?" if count is None else format_size(count)


def _number(value):
    return "?" if value is None else "%.3g" % value
