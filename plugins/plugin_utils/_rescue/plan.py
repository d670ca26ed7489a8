# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a plan for a host from its findings: steps, the gentlest first, each only where it can help.

Nothing here runs a step. `commands.py` has the commands of the steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Finding, WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import protection
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import matches
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.evidence import Evidence
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import commands

# Never restarted, in addition to the units that the lockdown protects: they may lose data, or other work needs them.
SPARED = (
    "redis*",
    "valkey*",
    "mysql*",
    "mariadb*",
    "postgresql*",
    "mongod*",
    "memcached*",
    "elasticsearch*",
    "rabbitmq*",
    "docker*",
    "containerd*",
    "podman*",
    "libvirtd*",
    "cron*",
    "rsyslog*",
    "apache2*",
    "nginx*",
    "haproxy*",
)

# Findings that pass by themselves, or have passed: no step fixes them, and none waits for them.
PASSING = ("oom_kills", "load_per_cpu", "steal_percent", "sshd_killed", "sshd_drops_percent", "io_pressure_percent")

# A full swap is critical only together with one of these: restarting a worker because of the swap alone does not help.
_MEMORY = ("memory_available_percent", "memory_pressure_percent", "memory_committed_percent")
# Bytes that a folder, or a service's deleted files, must hold to be worth a step.
_WORTH = 8 << 20

_CACHES = (
    ("/var/cache/apt/archives", 0, "delete the packages that apt has downloaded", commands.CLEAN_PACKAGES),
    ("/var/log/journal", commands.JOURNAL_KEPT, "shorten the journal to 64 MB", commands.SHORTEN_JOURNAL),
)

# Sidekiq takes no new jobs after TSTP, before version 5 after USR1. To other programs these signals mean other things.
_SIDEKIQ = re.compile(r"sidekiq (\d{1,4})\.")


class Looked(TypedDict):
    """The part of a result of `health` that a plan needs."""

    findings: list[Finding]
    workers: list[WorkerReading]
    ansible_facts: Facts


@dataclass(frozen=True)
class Step:
    """One step of a rescue. Its `name` is unique on the host; `anew` is the worker that it must have restarted."""

    name: str
    command: str
    anew: str | None = None


def recovered(findings: Sequence[Finding]) -> bool:
    """Return whether no finding that a step could fix is critical any more."""
    return not [
        finding for finding in findings if finding["severity"] == "critical" and finding["check"] not in PASSING
    ]


def plan(
    looked: Looked,
    evidence: Evidence,
    spared: Sequence[str] = SPARED,
    restart_commands: Mapping[str, str] | None = None,
    end_processes: bool = False,
) -> tuple[list[Step], list[str]]:
    """Return the steps for a host, and the reasons why something critical gets none.

    `spared` are patterns of units. `restart_commands` are the inventory's, by the names of workers. With
    `end_processes`, a worker that belongs to no unit may be ended.
    """
    plans = _Plan(looked, evidence, spared, restart_commands or {}, end_processes)
    for finding in looked["findings"]:
        if finding["severity"] == "critical":
            plans.mend(finding)
    return list(plans.steps.values()), plans.reasons


class _Plan:
    def __init__(
        self,
        looked: Looked,
        evidence: Evidence,
        spared: Sequence[str],
        restart_commands: Mapping[str, str],
        end_processes: bool,
    ) -> None:
        self._restart_commands, self._end_processes = restart_commands, end_processes
        self._workers = {worker["name"]: worker for worker in looked["workers"]}
        self._facts = looked["ansible_facts"]
        self._processes = {int(pid): process for pid, process in evidence["processes"].items()}
        self._evidence = evidence
        self._spared = spared
        self.steps: dict[str, Step] = {}
        self.reasons: list[str] = []

    def mend(self, finding: Finding) -> None:
        check, subject = finding["check"], finding["subject"] or ""
        before, told = len(self.steps), len(self.reasons)
        if check in _MEMORY:
            self._memory(finding)
        elif check == "worker_memory_percent":
            self._worker(subject)
        elif check == "workers_missing":
            self._start(subject)
        elif check == "workers_given_up":
            self._resume(subject)
        elif check == "process_fds_used_percent":
            self._descriptors(subject)
        elif check == "disk_used_percent":
            self._disk(subject)
        elif check in PASSING:
            self._refuse(f"{finding['message']}: in the past, or passes by itself")
        if len(self.steps) == before and len(self.reasons) == told and not self._mended(finding):
            self._refuse(f"{finding['message']}: no step of a rescue can fix it")

    def _mended(self, finding: Finding) -> bool:
        """Return whether the steps for another finding fix this one as well."""
        return finding["check"] in (*_MEMORY, "worker_memory_percent", "process_fds_used_percent") and bool(self.steps)

    def _add(self, name: str, command: str, anew: str | None = None) -> None:
        self.steps.setdefault(name, Step(name, command, anew))

    def _refuse(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)

    def _memory(self, finding: Finding) -> None:
        """Restart workers that hold enough to make a difference, then the service that holds most."""
        limit = self._facts["lifeline_memory"]["limit_bytes"]
        needed = 0.0
        if finding["check"] == "memory_available_percent" and limit:
            needed = (finding["threshold"] - finding["value"]) / 100 * limit
        running = sorted(
            (worker for worker in self._workers.values() if worker["pids"]),
            key=lambda worker: -(worker["rss_bytes"] or 0),
        )
        for worker in running:
            if (worker["rss_bytes"] or 0) > needed:
                self._worker(worker["name"])
        held: dict[str, int] = {}
        for process in self._processes.values():
            held[process["unit"]] = held.get(process["unit"], 0) + (process["rss_bytes"] or 0)
        for unit, size in sorted(held.items(), key=lambda one: -one[1]):
            # If other processes use up the memory, a restart of this service does not help.
            if size <= max(needed, (limit or 0) / 4):
                break
            if unit not in self._evidence["workers"]:
                self._restart_service(unit, f"holds {format_size(size)}")

    def _worker(self, name: str) -> None:
        """Plan to restart a worker: gracefully, then by killing it."""
        worker = self._workers.get(name)
        if worker is None or not worker["pids"]:
            return
        units = self._units_of(name)
        if not units:
            self._outside(name, worker["pids"])
            return
        shown = " ".join(units)
        quiet = self._quiet(worker["pids"])
        restart = (commands.restart_worker(unit, worker["pids"], quiet, _is_named(unit, name)) for unit in units)
        self._add(f"restart {shown}", "; ".join(restart), anew=name)
        kill = (commands.kill_worker(unit, worker["pids"], _is_named(unit, name)) for unit in units)
        self._add(f"kill and start {shown}", "; ".join(kill), anew=name)

    def _quiet(self, pids: Sequence[int]) -> list[tuple[str, list[int]]]:
        """Return the signals that make Sidekiq refuse new jobs, and its processes.

        Sidekiq 6.4 reads a TERM right after the TSTP as one signal with it, and kills the jobs in progress.
        """
        signals: dict[str, list[int]] = {}
        for pid in pids:
            found = _SIDEKIQ.match(self._evidence["titles"].get(str(pid), ""))
            if found:
                signals.setdefault("TSTP" if int(found.group(1)) >= 5 else "USR1", []).append(pid)
        return list(signals.items())

    def _start(self, name: str) -> None:
        units = self._units_of(name)
        if units:
            self._add(f"start {' '.join(units)}", "; ".join(map(commands.start, units)), anew=name)
        elif name in self._restart_commands and self._why_not(f"{name}.service") is None:
            self._add(f"start {name} by its own command", commands.given(self._restart_commands[name]), anew=name)
        elif name in self._evidence["watched"] and commands.is_name(name):
            self._by_monit("start", name)
        elif f"{name}.service" not in self._evidence["workers"]:
            self._refuse(f"worker {name} is not running, and there is no {name}.service that could be started")

    def _outside(self, name: str, pids: Sequence[int]) -> None:
        """Restart a worker that belongs to no unit of its own: by its own command, by monit, or by ending it."""
        held = {self._processes[pid]["unit"] for pid in pids if pid in self._processes}
        spared = sorted(unit for unit in held if commands.is_service(unit) and matches(unit, self._spared))
        reason = f"it runs in {spared[0]}, which is in lifeline_rescue_spared" if spared else None
        reason = reason or self._why_not(f"{name}.service")
        if reason:
            self._refuse(f"{name} may not be restarted: {reason}")
            return
        before = len(self.steps)
        quiet = self._quiet(pids)
        if name in self._restart_commands:
            command = commands.given(self._restart_commands[name], quiet)
            self._add(f"restart {name} by its own command", command, anew=name)
        elif name in self._evidence["watched"]:
            self._by_monit("restart", name)
        titled = [pid for _signal, of_signal in quiet for pid in of_signal]
        if self._end_processes and titled:
            self._add(f"end {name}", commands.end(titled, quiet, force=False), anew=name)
            self._add(f"kill {name}", commands.end(titled, quiet, force=True), anew=name)
        if len(self.steps) == before:
            numbers = ", ".join(map(str, pids))
            self._refuse(
                f"{name} (pid {numbers}) belongs to no service that could be restarted, and monit doesn't know it; by "
                f"hand: {commands.by_hand(pids)}, and start it as before. Set restart_command of the worker, or "
                "lifeline_rescue_end_processes if something starts it again, to have it done here"
            )

    def _by_monit(self, verb: str, name: str) -> None:
        """Plan that monit starts or restarts a worker without a unit of its own."""
        reason = self._why_not(f"{name}.service")
        if reason:
            self._refuse(f"{name} may not be {verb}ed: {reason}")
        else:
            self._add(f"have monit {verb} {name}", commands.monit(verb, name), anew=name)

    def _resume(self, name: str) -> None:
        reason = self._why_not(f"{name}.service") if commands.is_name(name) else "it is not the name of a worker"
        if reason:
            self._refuse(f"{name} was given up, and may not be resumed: {reason}")
        else:
            self._add(f"resume {name}", commands.resume(name), anew=name if name in self._workers else None)

    def _descriptors(self, process_name: str) -> None:
        """Plan to restart the workers and services that have used up their descriptors."""
        struck = {
            process["pid"] for process in self._facts["lifeline_fds"]["processes"] if process["name"] == process_name
        }
        for worker in self._workers.values():
            if struck & set(worker["pids"]):
                self._worker(worker["name"])
                return
        for unit in sorted({self._processes[pid]["unit"] for pid in struck if pid in self._processes}):
            self._restart_service(unit, "has no descriptors left")

    def _disk(self, mount: str) -> None:
        """Plan to delete caches, then old files, then to restart services that hold deleted files."""
        for folder, kept, name, command in _CACHES:
            if self._mount_of(folder) == mount and self._evidence["space"].get(folder, 0) - kept >= _WORTH:
                self._add(name, command)
        held: dict[str | None, int] = {}
        for entry in self._evidence["deleted"]:
            if self._mount_of(entry["path"]) == mount:
                held[entry["unit"]] = held.get(entry["unit"], 0) + entry["bytes"]
        for unit, size in sorted(held.items(), key=lambda one: -one[1]):
            if size < _WORTH:
                continue
            why = f"holds {format_size(size)} of deleted files on {mount}"
            if unit is None:
                self._refuse(f"a process that belongs to no service {why}")
            elif unit in self._evidence["workers"]:
                self._worker(self._evidence["workers"][unit])
            else:
                service = self._evidence["services"].get(unit)
                if service and service["can_reload"] and self._why_not(unit) is None:
                    self._add(f"reload {unit}", commands.reload(unit))
                self._restart_service(unit, why)

    def _restart_service(self, unit: str, why: str) -> None:
        reason = self._why_not(unit)
        if reason:
            self._refuse(f"{unit} {why}, and may not be restarted: {reason}")
        else:
            self._add(f"restart {unit}", commands.restart(unit))

    def _why_not(self, unit: str) -> str | None:
        """Return why a unit may not be touched, None if it may. This includes workers."""
        if not commands.is_service(unit):
            return "it is not a service"
        if matches(unit, self._spared):
            return "it is in lifeline_rescue_spared"
        reason: str | None = protection.protection([unit], (), ())
        return reason

    def _units_of(self, worker: str) -> list[str]:
        """Return the worker's own units that may be touched."""
        own = sorted(unit for unit, name in self._evidence["workers"].items() if name == worker)
        for unit in own:
            if matches(unit, self._spared):
                self._refuse(f"{unit} is the worker {worker}, and may not be restarted: {self._why_not(unit)}")
        return [unit for unit in own if self._why_not(unit) is None]

    def _mount_of(self, path: str) -> str | None:
        points = [disk["mount"] for disk in self._facts["lifeline_disks"]["filesystems"]]
        above = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
        return max(above, key=len, default=None)


def _is_named(unit: str, worker: str) -> bool:
    return unit == f"{worker}.service"
