# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse control groups of processes, and find the systemd unit that one belongs to."""

from __future__ import annotations

import re
from typing import Dict, Mapping, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

# systemd's own control group is the root of its tree, which is not always the top one in a container.
SOURCES = ("/proc/1/cgroup",)

# systemd's tree is that of version 2, or one of its own beside those of version 1; it may use either if both exist.
_HIERARCHIES = ("", "name=systemd")
_INIT = "/init.scope"
_UNIT = re.compile(r"\.(service|scope|socket|mount|swap)$")


def paths(text: str) -> Dict[str, str]:
    """Return a process's path in each hierarchy by the hierarchy's controllers, from its file cgroup.

    The hierarchy of version 2 has the empty name.
    """
    found = {}
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            found[fields[1]] = fields[2]
    return found


def unit_of(path: Optional[str], outermost: bool = False) -> Optional[str]:
    """Return the unit that a control group's path belongs to, or None. A slice counts only if there is no other unit.

    The innermost unit may be one of a user's own systemd or of a container's; the outermost is one that the host's
    systemd knows.
    """
    parts = (path or "").split("/")
    units = [part for part in parts if _UNIT.search(part)] or [part for part in parts if part.endswith(".slice")][-1:]
    return escape(units[0 if outermost else -1]) if units else None


def system_unit(sources: Mapping[str, str], pid: int) -> Optional[str]:
    """Return the unit of the host's systemd that a process belongs to, or None. `systemctl` of root can stop it."""
    own, first = paths(sources.get(f"/proc/{pid}/cgroup", "")), paths(sources.get("/proc/1/cgroup", ""))
    for hierarchy in _HIERARCHIES:
        path, root = own.get(hierarchy, ""), first.get(hierarchy, "")
        root = root[: -len(_INIT)] if root.endswith(_INIT) else ""
        unit = unit_of(path[len(root) :], outermost=True) if path.startswith(root + "/") else None
        if unit:
            return unit
    return None
