# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the names that the user gave to units of the host, and choose which of them are stopped."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Set, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import files as lockdown_files, protection, usage
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.systemctl import Systemd
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import (
    Unit,
    exists,
    is_template,
    matches,
    parse_units,
    runs,
    unit_name,
)

_FOLDERS = (
    lockdown_files.UNITS,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


class _Entry(NamedTuple):
    """A unit that was asked for; `insists` says whether its own entry asks to mask it."""

    unit: str
    masked: bool
    insists: bool
    unexpected: bool


class Choice:
    """The units to stop.

    `units` maps names to what `systemctl show` prints of them, and `masked` says of each whether it is to be masked.
    `absent` are the entries that led to no unit, `spared` the units that the worker needs, and `left` the units that
    were only unexpected and must not be stopped. `workers` are the worker's units, the running ones first.

    Raises Refused if an entry is not a name of a unit, or names a unit that must not be stopped.
    """

    def __init__(self, systemd: Systemd, options: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        self._systemd = systemd
        self._options = options
        self._protected = [*options["workers"], *options["protected"]]
        self._carrying = carrying()
        self.units: Dict[str, Unit] = {}
        self.masked: Dict[str, bool] = {}
        self.absent: List[str] = []
        self.spared: List[Dict[str, str]] = []
        self.left: List[Dict[str, str]] = []
        self._entries: Dict[str, _Entry] = {}
        # Pairs of an entry's name and a unit that it led to.
        self._led: List[Tuple[str, str]] = []
        self._read()
        self._find_templates()
        self._find(record)
        self.workers = self._find_workers()
        self._spare()
        self._leave()
        protection.refuse(list(self.units.values()), self._led, self._protected, self._carrying)

    @property
    def named(self) -> Set[str]:
        """Return the units that the user named, in contrast to unexpected ones."""
        return {entry.unit for entry in self._entries.values() if not entry.unexpected}

    def told(self) -> Dict[str, Any]:
        """Return what the module reports of the choice."""
        return {
            "units": sorted(self.units),
            "absent": sorted(set(self.absent)),
            "left": self.left,
            "spared": self.spared,
        }

    def _read(self) -> None:
        problems = []
        for entry in self._options["stopped"]:
            if entry["state"] == "absent":
                continue
            masked = self._options["masked"] if entry["masked"] is None else entry["masked"]
            try:
                unit = unit_name(entry["name"])
            except ValueError as error:
                problems.append(str(error))
                continue
            self._entries[entry["name"]] = _Entry(unit, masked, bool(entry["masked"]), False)
        if problems:
            raise protection.Refused("; ".join(problems))
        for unit in self._options["unexpected"]:
            if unit.endswith((".service", ".socket")):
                self._entries.setdefault(unit, _Entry(unit, False, False, True))
            else:
                self.left.append({"unit": unit, "reason": "it is neither a service nor a socket"})

    def _find_templates(self) -> None:
        for name, entry in self._entries.items():
            template = entry.unit
            if not is_template(template):
                continue
            path = next(
                (path for path in (f"{folder}/{template}" for folder in _FOLDERS) if os.path.lexists(path)), None
            )
            if path is None:
                self.absent.append(name)
                continue
            # `systemctl show` prints nothing about a template.
            self.units[template] = parse_units(f"Id={template}\nLoadState=loaded\nFragmentPath={path}\n")[0]
            self.masked[template] = entry.masked
            self._led.append((name, template))

    def _find(self, record: Mapping[str, Any]) -> None:
        """Follow each entry to its unit by any of its names, and on to the units that would start that one again."""
        # An alias is gone once its unit is disabled; the record still has it.
        remembered = {alias: unit_id for unit_id, kept in record["units"].items() for alias in kept["names"]}
        waiting: Dict[str, List[str]] = {}
        for name, entry in self._entries.items():
            wanted = entry.unit
            instances = [remembered.get(wanted, wanted)]
            if is_template(wanted):
                instances = self._systemd.loaded([wanted.replace("@.", "@*.")])
            for one in instances:
                waiting.setdefault(one, []).append(name)
        is_first = True
        while waiting:
            partners: Dict[str, List[str]] = {}
            for names, unit in zip(waiting.values(), self._systemd.show(list(waiting))):
                unit_id = unit["Id"]
                asked = [name for name in names if not is_template(self._entries[name].unit)]
                self._led += [(name, unit_id) for name in asked]
                if not exists(unit):
                    self.absent += asked if is_first else []
                    continue
                self.units[unit_id] = unit
                self.masked[unit_id] = self.masked.get(unit_id, False) or any(
                    self._entries[name].masked for name in names
                )
                for partner in protection.partners(unit):
                    if partner not in self.units and partner not in waiting:
                        partners.setdefault(partner, []).extend(names)
            waiting, is_first = partners, False

    def _find_workers(self) -> List[Unit]:
        """Return the worker's units on this host, the running ones first."""
        patterns = [pattern if "." in pattern else pattern + ".service" for pattern in self._options["workers"]]
        names = {
            name for name in self._systemd.installed(patterns) + self._systemd.loaded(patterns) if not is_template(name)
        }
        units = [unit for unit in self._systemd.show(sorted(names)) if unit["LoadState"] == "loaded"]
        return sorted(units, key=lambda unit: (not runs(unit), unit["Id"]))

    def _spare(self) -> None:
        """Take out the units that the worker or another client needs.

        Raises Refused if an entry insists on masking one, or if it must be decided what happens to one in use.
        """
        takeover = self._options["takeover"]
        used = {} if takeover == "take" else usage.users(self.units, self._options["applications"])
        refused = []
        for unit_id, unit in list(self.units.items()):
            worker = protection.needed_by(unit, self.workers, self._options["worker_needs"])
            if worker is None and self._options["worker_expected"]:
                names = {unit_id, *unit["Names"]}
                needed = any(matches(name, self._options["worker_needs"]) for name in names)
                worker = "the worker that the inventory requires" if needed else None
            if worker is None and unit_id in used and takeover == "refuse":
                refused.append(f"{unit_id} is used by {used[unit_id]}")
            worker = worker or used.get(unit_id)
            if worker is None:
                continue
            insisting = [name for name, led_to in self._led if led_to == unit_id and self._entries[name].insists]
            if insisting:
                raise protection.Refused(
                    f"{', '.join(insisting)} may not be masked: {worker} needs {unit_id}; remove it from the list, "
                    "or set worker_needs to [] if the queue is on another box"
                )
            del self.units[unit_id]
            self.spared.append({"unit": unit_id, "needed_by": worker})
            self._led = [(name, led_to) for name, led_to in self._led if led_to != unit_id]
        if refused:
            raise protection.Refused(
                "; ".join(refused)
                + "; remove the entry, or set service_lockdown_takeover: keep (leave it alone) or take (stop it)"
            )

    def _leave(self) -> None:
        """Take out the units that are only unexpected and must not be stopped: no entry named them."""
        named = {unit_id for name, unit_id in self._led if not self._entries[name].unexpected}
        unexpected = [(name, unit_id) for name, unit_id in self._led if unit_id not in named]
        self._led = [(name, unit_id) for name, unit_id in self._led if unit_id in named]
        for name, unit_id in unexpected:
            if unit_id not in self.units:
                continue
            try:
                protection.refuse([self.units[unit_id]], [(name, unit_id)], self._protected, self._carrying)
            except protection.Refused as error:
                self.left.append({"unit": unit_id, "reason": str(error)})
                del self.units[unit_id]


def carrying() -> Set[str]:
    """Return the units of this process and its ancestors: stopping one of them would end the connection of this run."""
    units: Set[str] = set()
    pid = os.getpid()
    sources = _reader.read_files(cgroup_units.SOURCES)
    while pid > 1:
        _reader.read_files(_reader.process_paths(("cgroup", "stat"), [pid]), sources)
        unit_of_process = cgroup_units.system_unit(sources, pid)
        if unit_of_process:
            units.add(unit_of_process)
        process = stat.parse(sources.get(f"/proc/{pid}/stat"))
        pid = process.ppid if process else 0
    # A socket with Accept=yes starts an instance for each connection.
    return units | {unit.partition("@")[0] + ".socket" for unit in units if "@" in unit}
