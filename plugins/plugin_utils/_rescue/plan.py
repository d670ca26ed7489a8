# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wrong with a box to what may be done about it: steps, the gentlest first, each only where it can work.

A step is one command for the box's shell, in one line without single quotes, that needs little memory. Nothing here runs one.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import protection
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import matches

# What is never restarted, besides what the lockdown protects: its data may not survive, or somebody else's work depends on it.
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

# What passes by itself, or has passed: no step mends it, and none waits for it.
PASSING = ("oom_kills", "load_per_cpu", "steal_percent", "sshd_killed", "sshd_drops_percent", "io_pressure_percent")

# A full swap is critical only together with one of these: restarting a worker for the swap alone cures nothing.
_MEMORY = ("memory_available_percent", "memory_pressure_percent", "memory_committed_percent")
# What the journal keeps, and what a folder must hold to be worth a step.
_JOURNAL_KEPT = 64 << 20
_WORTH = 8 << 20

_CACHES = (
    ("/var/cache/apt/archives", 0, "delete the packages that apt has downloaded", "apt-get -qq clean"),
    (
        "/var/log/journal",
        _JOURNAL_KEPT,
        "shorten the journal to 64 MB",
        f"journalctl --quiet --vacuum-size={_JOURNAL_KEPT}",
    ),
)

# What systemd itself calls a service. It goes into a shell's words.
_SERVICE = re.compile(r"[A-Za-z0-9:_.\\@-]+\.service$")
# From version 5 on Sidekiq becomes quiet by TSTP; USR1 is what it was before. To others these signals mean other things.
_SIDEKIQ = re.compile(r"sidekiq (\d+)\.")


@dataclass(frozen=True)
class Step:
    """One thing to do. V(name) tells it from the others of a box; V(anew) is the worker that it must have started anew, if any."""

    name: str
    command: str
    anew: str | None = None


def recovered(findings):
    """Whether nothing is critical any more that a step could mend."""
    return not [
        finding for finding in findings if finding["severity"] == "critical" and finding["check"] not in PASSING
    ]


def plan(looked, evidence, spared=SPARED):
    """The steps for a box, and for what is critical and gets none, why: two lists.

    V(looked) is what health returned, V(evidence) what C(_evidence.read) made of the box, V(spared) patterns of units.
    """
    plans = _Plan(looked, evidence, spared)
    for finding in looked["findings"]:
        if finding["severity"] == "critical":
            plans.mend(finding)
    return list(plans.steps.values()), plans.reasons


class _Plan:
    def __init__(self, looked, evidence, spared):
        self._workers = {worker["name"]: worker for worker in looked["workers"]}
        self._facts = looked["ansible_facts"]
        self._processes = {int(pid): process for pid, process in evidence["processes"].items()}
        self._services = evidence["services"]
        self._watched = evidence["watched"]
        self._deleted = evidence["deleted"]
        self._space = evidence["space"]
        self._titles = evidence["titles"]
        self._worker_units = evidence["workers"]
        self._spared = spared
        self.steps, self.reasons = {}, []

    def mend(self, finding):
        check = finding["check"]
        before, told = len(self.steps), len(self.reasons)
        if check in _MEMORY:
            self._memory(finding)
        elif check == "worker_memory_percent":
            self._worker(finding["subject"])
        elif check == "workers_missing":
            self._start(finding["subject"])
        elif check == "workers_given_up":
            self._resume(finding["subject"])
        elif check == "process_fds_used_percent":
            self._descriptors(finding["subject"])
        elif check == "disk_used_percent":
            self._disk(finding)
        elif check in PASSING:
            self._refuse(f"{finding['message']}: that is past, or passes")
        if len(self.steps) == before and len(self.reasons) == told and not self._mended(finding):
            self._refuse(f"{finding['message']}: nothing that may be done here would mend it")

    def _mended(self, finding):
        """Whether the steps that another finding has led to mend this one as well."""
        return finding["check"] in (*_MEMORY, "worker_memory_percent", "process_fds_used_percent") and bool(self.steps)

    def _add(self, name, command, anew=None):
        self.steps.setdefault(name, Step(name, command, anew))

    def _refuse(self, reason):
        if reason not in self.reasons:
            self.reasons.append(reason)

    def _memory(self, finding):
        """Who holds enough to make a difference: first the workers, then the service that holds most."""
        memory = self._facts["lifeline_memory"]
        needed = 0
        if finding["check"] == "memory_available_percent" and memory["limit_bytes"]:
            needed = (finding["threshold"] - finding["value"]) / 100 * memory["limit_bytes"]
        running = sorted(
            (worker for worker in self._workers.values() if worker["pids"]),
            key=lambda worker: -(worker["rss_bytes"] or 0),
        )
        for worker in running:
            if (worker["rss_bytes"] or 0) > needed:
                self._worker(worker["name"])
        held = {}
        for process in self._processes.values():
            held[process["unit"]] = held.get(process["unit"], 0) + (process["rss_bytes"] or 0)
        for unit, size in sorted(held.items(), key=lambda one: -one[1]):
            # Who is short of memory for other reasons than this service gains nothing by its restart.
            if size <= max(needed, (memory["limit_bytes"] or 0) / 4):
                break
            if unit not in self._worker_units:
                self._restart_service(unit, f"holds {format_size(size)}")

    def _worker(self, name):
        """Restart a worker: quietly, then at once."""
        worker = self._workers.get(name)
        if worker is None or not worker["pids"]:
            return
        units = self._units_of(name)
        if not units:
            if name in self._watched:
                self._add(f"have monit restart {name}", f"monit restart {shlex.quote(name)}", anew=name)
            else:
                self._refuse(
                    f"{name} (pid {', '.join(map(str, worker['pids']))}) belongs to no service that could be restarted, and monit doesn't know it"
                )
            return
        pids = " ".join(map(str, worker["pids"]))
        self._add(f"restart {units}", self._quiet(worker["pids"]) + f"systemctl --no-block restart {units}", anew=name)
        # Jobs in progress are lost. A stop that still waits for them would hold up another.
        self._add(
            f"kill and start {units}",
            f"kill -KILL {pids}; systemctl kill --signal KILL {units}; systemctl reset-failed {units}; systemctl --no-block start {units}",
            anew=name,
        )

    def _quiet(self, pids):
        signals = {}
        for pid in pids:
            found = _SIDEKIQ.match(self._titles.get(str(pid), ""))
            if found:
                signals.setdefault("TSTP" if int(found.group(1)) >= 5 else "USR1", []).append(str(pid))
        # A TERM on the heels of the TSTP kills Sidekiq 6.4, and the jobs in progress with it: it reads both signals as one.
        return "".join(f"kill -{signal} {' '.join(quieted)}; sleep 1; " for signal, quieted in signals.items())

    def _start(self, name):
        units = self._units_of(name)
        if units:
            self._add(
                f"start {units}", f"systemctl reset-failed {units}; systemctl --no-block start {units}", anew=name
            )
        elif name in self._watched:
            self._add(f"have monit start {name}", f"monit start {shlex.quote(name)}", anew=name)
        else:
            self._refuse(f"worker {name} is not running, and there is no {name}.service that could be started")

    def _resume(self, name):
        self._add(
            f"resume {name}",
            f"/usr/local/sbin/sidekiq-watchdog resume {shlex.quote(name)}",
            anew=name if name in self._workers else None,
        )

    def _descriptors(self, process_name):
        """Restart whose descriptors are used up."""
        struck = {
            process["pid"] for process in self._facts["lifeline_fds"]["processes"] if process["name"] == process_name
        }
        for worker in self._workers.values():
            if struck & set(worker["pids"]):
                self._worker(worker["name"])
                return
        for unit in sorted({self._processes[pid]["unit"] for pid in struck if pid in self._processes}):
            self._restart_service(unit, "has no descriptors left")

    def _disk(self, finding):
        """What can be fetched again, then what is old, then who holds files that nobody else can see."""
        mount = finding["subject"]
        for folder, kept, name, command in _CACHES:
            if self._mount_of(folder) == mount and self._space.get(folder, 0) - kept >= _WORTH:
                self._add(name, command)
        held = {}
        for entry in self._deleted:
            if self._mount_of(entry["path"]) == mount:
                held[entry["unit"]] = held.get(entry["unit"], 0) + entry["bytes"]
        for unit, size in sorted(held.items(), key=lambda one: -one[1]):
            if size < _WORTH:
                continue
            why = f"holds {format_size(size)} of deleted files on {mount}"
            if unit in self._worker_units:
                self._worker(self._worker_units[unit])
            elif unit is None:
                self._refuse(f"a process that belongs to no service {why}")
            else:
                if self._services.get(unit, {}).get("can_reload") and self._why_not(unit) is None:
                    self._add(f"reload {unit}", f"systemctl --no-block reload {_word(unit)}")
                self._restart_service(unit, why)

    def _restart_service(self, unit, why):
        reason = self._why_not(unit)
        if reason:
            self._refuse(f"{unit} {why}, and may not be restarted: {reason}")
        else:
            self._add(f"restart {unit}", f"systemctl --no-block restart {_word(unit)}")

    def _why_not(self, unit):
        if not unit or not _SERVICE.match(unit):
            return "it is no service"
        if matches(unit, self._spared):
            return "it is in lifeline_rescue_spared"
        return protection.protection([unit], (), ())

    def _units_of(self, worker):
        """The worker's own units, as words. What it belongs to only as the child of something protected is not its own."""
        return " ".join(
            sorted(
                _word(unit)
                for unit, name in self._worker_units.items()
                if name == worker and _SERVICE.match(unit) and protection.protection([unit], (), ()) is None
            )
        )

    def _mount_of(self, path):
        points = [disk["mount"] for disk in self._facts["lifeline_disks"]["filesystems"]]
        above = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
        return max(above, key=len, default=None)


def _word(unit):
    """A unit's name as a word of a shell: systemd escapes by backslashes."""
    return unit.replace("\\", "\\\\")
