# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of the box's own systemd that a process belongs to, as C(systemctl) of root knows it."""

from __future__ import annotations

import re

# Where systemd itself is tells where its tree begins, which in a container needn't be the root.
SOURCES = ("/proc/1/cgroup",)

# systemd's tree is that of cgroup v2, or one of its own beside v1's. Where there are both, it may have chosen either.
_HIERARCHIES = ("", "name=systemd")
_INIT = "/init.scope"
_UNIT = re.compile(r"\.(service|scope|socket|mount|swap)$")


def unit_of(sources, pid):
    """The outermost unit that is no slice, or None. Below it are the units of a user's own systemd or of a container's."""
    own, first = _paths(sources.get("/proc/%d/cgroup" % pid, "")), _paths(sources.get("/proc/1/cgroup", ""))
    for hierarchy in _HIERARCHIES:
        path, root = own.get(hierarchy, ""), first.get(hierarchy, "")
        root = root[:-len(_INIT)] if root.endswith(_INIT) else ""
        if path.startswith(root + "/"):
            unit = next((part for part in path[len(root):].split("/") if _UNIT.search(part)), None)
            if unit:
                return unit
    return None


def _paths(text):
    """Each hierarchy's path, by the hierarchy's name."""
    paths = {}
    for line in text.splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            paths[fields[1]] = fields[2]
    return paths
