# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd unit that a control group belongs to."""

from __future__ import annotations

import re

# Where systemd itself is tells where its tree begins, which in a container needn't be the root.
SOURCES = ("/proc/1/cgroup",)

# systemd's tree is that of cgroup v2, or one of its own beside v1's. Where there are both, it may have chosen either.
_HIERARCHIES = ("", "name=systemd")
_INIT = "/init.scope"
_UNIT = re.compile(r"\.(service|scope|socket|mount|swap)$")


def paths(text):
    """The path in each hierarchy, by the hierarchy's name, out of a process's file cgroup."""
    found = {}
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            found[fields[1]] = fields[2]
    return found


def unit_of(path, outermost=False):
    """The unit that a control group's path belongs to, or None. A slice is one only where there is no other.

    It is the innermost, which may be one of a user's own systemd or of a container's; or the outermost, which the box's own
    systemd knows.
    """
    parts = (path or "").split("/")
    units = [part for part in parts if _UNIT.search(part)] or [part for part in parts if part.endswith(".slice")][-1:]
    return units[0 if outermost else -1] if units else None


def system_unit(sources, pid):
    """The unit of the box's own systemd that a process belongs to, or None: what C(systemctl) of root can stop."""
    own, first = paths(sources.get(f"/proc/{pid}/cgroup", "")), paths(sources.get("/proc/1/cgroup", ""))
    for hierarchy in _HIERARCHIES:
        path, root = own.get(hierarchy, ""), first.get(hierarchy, "")
        root = root[: -len(_INIT)] if root.endswith(_INIT) else ""
        unit = unit_of(path[len(root) :], outermost=True) if path.startswith(root + "/") else None
        if unit:
            return unit
    return None
