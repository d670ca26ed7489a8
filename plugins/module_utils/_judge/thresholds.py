# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merge the thresholds that a host is judged by, from the collection's defaults down to the host's own.

`lifeline_thresholds` maps the name of a check to its `warning` and `critical`, in the check's own unit. A layer names
only what differs from the one before. `null` switches a level off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, Mapping, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

LEVELS = ("warning", "critical")

# Levels by the name of a check, then by warning and critical; None is switched off.
Thresholds = Dict[str, Dict[str, Optional[float]]]

_NUMBER = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*%?\s*$")


@dataclass(frozen=True)
class Check:
    """One thing that a host is watched for.

    `warning` and `critical` are its defaults. The check strikes when its value reaches the threshold from below, or
    from above if it is `falling`: less is worse.
    """

    name: str
    unit: str
    warning: Optional[float]
    critical: Optional[float]
    falling: bool = False
    companion_of: Optional[str] = None

    def reached(self, value: float, threshold: float) -> bool:
        """Return whether a value has reached a threshold."""
        return value <= threshold if self.falling else value >= threshold

    def beyond(self, warning: float, critical: float) -> bool:
        """Return whether the warning would come only after the critical."""
        return warning < critical if self.falling else warning > critical

    @property
    def allowed(self) -> str:
        """Return in words which values a threshold may have."""
        return "a number of percent, 0 or more" if self.unit == "%" else "a number, 0 or more"


CHECKS = {
    check.name: check
    for check in (
        Check("fork_fails", "hosts", None, 1),
        Check("probe_incomplete", "hosts", 1, None),
        Check("memory_available_percent", "%", 25, 10, falling=True),
        Check("memory_available_mib", "MiB", 6144, 2048, falling=True, companion_of="memory_available_percent"),
        Check("memory_pressure_percent", "%", 5, 20),
        Check("major_faults_per_second", "pages", 1000, None),
        Check("memory_committed_percent", "%", 90, 98),
        Check("swap_used_percent", "%", 50, 80),
        Check("slab_unreclaimable_percent", "%", 25, 50),
        Check("disk_used_percent", "%", 90, 95),
        Check("disk_available_mib", "MiB", 102400, 10240, falling=True, companion_of="disk_used_percent"),
        Check("inodes_used_percent", "%", 90, 95),
        Check("inodes_available", "inodes", 1000000, 100000, falling=True, companion_of="inodes_used_percent"),
        Check("disks_hung", "file systems", 1, None),
        Check("login_disks_hung", "file systems", None, 1),
        Check("disks_failed", "file systems", 1, None),
        Check("disk_errors", "errors", 1, None),
        Check("disks_read_only", "file systems", None, 1),
        Check("root_read_only", "file systems", None, 1),
        Check("fds_used_percent", "%", 70, 90),
        Check("process_fds_used_percent", "%", 80, 95),
        Check("fd_limits_above_maximum", "processes", 1, None),
        Check("oom_kills", "kills", 1, 5),
        Check("workers_missing", "workers", None, 1),
        Check("workers_given_up", "workers", None, 1),
        Check("worker_crashes", "crashes", 1, 5),
        Check("worker_memory_percent", "%", 80, 100),
        Check("worker_allowance_percent", "%", 100, None),
        Check("sshd_missing", "hosts", None, 1),
        Check("sshd_killed", "processes", None, 1),
        Check("sshd_drops_percent", "%", 1, 50),
        Check("logins_refused", "files", None, 1),
        Check("pids_used_percent", "%", 80, 95),
        Check("conntrack_used_percent", "%", 80, 95),
        Check("ptys_used_percent", "%", 80, 95),
        Check("ports_used_percent", "%", 80, None),
        Check("listen_drops_per_minute", "connections", 10, None),
        Check("login_services_missing", "services", 1, None),
        Check("zombies", "processes", 1000, None),
        Check("clock_skew_seconds", "seconds", 60, None),
        Check("sshd_killable", "processes", 1, None),
        Check("services_unexpected", "services", 1, None),
        Check("io_pressure_percent", "%", 40, None),
        Check("load_per_cpu", "tasks", 2, 8),
        Check("steal_percent", "%", 10, 30),
        Check("forecast_minutes", "minutes", 120, 30, falling=True),
        Check("disk_forecast_minutes", "minutes", 1440, 120, falling=True),
    )
}

# The checks whose danger ends a host, or the access to it, soonest. All others come after these.
SOONEST = (
    "fork_fails",
    "sshd_missing",
    "pids_used_percent",
    "memory_committed_percent",
    "memory_pressure_percent",
    "memory_available_percent",
    "fds_used_percent",
    "login_disks_hung",
    "sshd_drops_percent",
    "conntrack_used_percent",
    "swap_used_percent",
    "slab_unreclaimable_percent",
    "root_read_only",
    "logins_refused",
    "sshd_killed",
    "forecast_minutes",
    "oom_kills",
    "ptys_used_percent",
    "disk_used_percent",
    "inodes_used_percent",
    "disks_read_only",
    "load_per_cpu",
    "io_pressure_percent",
    "workers_missing",
    "worker_crashes",
    "workers_given_up",
    "worker_memory_percent",
    "process_fds_used_percent",
    "disk_forecast_minutes",
)


def urgency(check: str) -> int:
    """Return a number that is the lower, the sooner the danger of a check ends a host."""
    return SOONEST.index(check) if check in SOONEST else len(SOONEST)


# By the name of a share, the name of what is left in absolute terms: a level of the first strikes only if that of the
# second strikes as well.
COMPANIONS = {check.companion_of: check.name for check in CHECKS.values() if check.companion_of}


def defaults() -> Thresholds:
    """Return the collection's thresholds."""
    return {name: {"warning": check.warning, "critical": check.critical} for name, check in CHECKS.items()}


def merge(layers: Iterable[Tuple[str, object]]) -> Thresholds:
    """Return the thresholds that hold, from pairs of a layer's name and its dictionary, the least specific first.

    Raises SettingsError with a sentence that names the layer, the key, the value and what is allowed.
    """
    merged = defaults()
    origins = dict.fromkeys(CHECKS, "the collection's defaults")
    for origin, layer in layers:
        if layer is None:
            continue
        if not isinstance(layer, dict):
            raise SettingsError(
                f"{origin}: not a dictionary ({layer!r}); give checks, as in "
                "{disk_used_percent: {warning: 90, critical: 95}}"
            )
        # A share that an operator sets holds as it stands, unless the same layer or a later one sets its companion.
        for name in sorted(layer, key=lambda name: name in COMPANIONS.values()):
            levels = _levels(CHECKS[_known(name, origin)], layer[name], origin)
            merged[name].update(levels)
            origins[name] = origin
            if name in COMPANIONS:
                merged[COMPANIONS[name]].update(dict.fromkeys(levels))
    for name, levels in merged.items():
        _ordered(CHECKS[name], levels, origins[name])
    return merged


def _known(name: object, origin: str) -> str:
    if not isinstance(name, str) or name not in CHECKS:
        raise SettingsError(f"{origin}: unknown check ({name!r}); use one of {', '.join(sorted(CHECKS))}")
    return name


def _levels(check: Check, levels: object, origin: str) -> Dict[str, Optional[float]]:
    if not isinstance(levels, dict):
        raise SettingsError(f"{origin}: {check.name}: not a dictionary ({levels!r}); give warning, critical or both")
    for level in levels:
        if level not in LEVELS:
            raise SettingsError(f"{origin}: {check.name}: unknown level ({level!r}); use warning or critical")
    return {level: _number(check, level, value, origin) for level, value in levels.items()}


def _number(check: Check, level: str, value: object, origin: str) -> Optional[float]:
    if value is None:
        return None
    found = None if isinstance(value, bool) else _NUMBER.match(str(value))
    if found is None or float(found.group(1)) < 0 or ("%" in str(value) and check.unit != "%"):
        raise SettingsError(
            f"{origin}: {check.name}.{level}: wrong value ({value!r}); use {check.allowed}, or null to switch it off"
        )
    number = float(found.group(1))
    if check.falling and check.unit == "%" and number > 100:
        raise SettingsError(f"{origin}: {check.name}.{level}: more than 100 % ({value!r}); use at most 100")
    return int(number) if number.is_integer() else number


def _ordered(check: Check, levels: Mapping[str, Optional[float]], origin: str) -> None:
    warning, critical = levels["warning"], levels["critical"]
    if warning is None or critical is None or not check.beyond(warning, critical):
        return
    side = "above" if check.falling else "below"
    raise SettingsError(
        f"{origin}: {check.name}.warning: beyond critical ({warning}, with critical {critical}); use critical or a "
        f"number {side} it"
    )
