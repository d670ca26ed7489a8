# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what systemd says of the units of workers, and which processes belong to a unit."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Dict, Iterable, List, NamedTuple, Optional, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show

PROPERTIES = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "ExecMainStartTimestampMonotonic")
# The source that has the output of `systemctl show`.
SOURCE = "units"

_MEMBERS = re.compile(r"/sys/fs/cgroup/(?:[^/]+/){1,3}([^/]+\.service)/cgroup\.procs\Z")
# systemd starts or restarts a unit in these states.
_STARTING = ("activating", "reloading", "deactivating")


class Unit(NamedTuple):
    """One unit: whether it starts, why it failed, its restarts, and when it began, in seconds since the boot."""

    name: str
    starting: bool
    failed: Optional[str]
    restarts: Optional[int]
    began: Optional[float]


def parse(sources: Sources) -> List[Unit]:
    """Return the units that are loaded. `restarts` is None before systemd 235."""
    return [
        Unit(
            escape(said["Id"]),
            said.get("ActiveState") in _STARTING,
            escape(said.get("Result", "")) if said.get("ActiveState") == "failed" else None,
            _number(said.get("NRestarts")),
            _seconds(said.get("ExecMainStartTimestampMonotonic")),
        )
        for said in parse_show(sources.get(SOURCE, ""))
        if said.get("Id") and said.get("LoadState", "loaded") == "loaded"
    ]


def of(units: Iterable[Unit], patterns: Iterable[str]) -> List[Unit]:
    """Return the units whose names one of the patterns matches."""
    wanted = list(patterns)
    return [unit for unit in units if any(fnmatchcase(unit.name, pattern) for pattern in wanted)]


def members(sources: Sources) -> Dict[str, Set[int]]:
    """Return the processes of each unit whose control group was read."""
    found: Dict[str, Set[int]] = {}
    for path, text in sources.items():
        unit = _MEMBERS.match(path)
        if unit:
            found.setdefault(unit.group(1), set()).update(
                int(word) for word in text.split() if word.isdecimal() and len(word) < 11
            )
    return found


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


def _seconds(text: Optional[str]) -> Optional[float]:
    return int(text) / 1e6 if text is not None and text.isdecimal() and 1 < len(text) < 18 else None
