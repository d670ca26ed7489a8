# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Return whether a host is a container: there, the kernel's log and counters are those of the machine around it."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources

# systemd, podman and docker put these into the containers that they start, and into images that may boot as machines.
_MARKS = ("/run/systemd/container", "/run/.containerenv", "/.dockerenv")
# The first thread of the kernel, which no container sees.
_KERNEL = "/proc/2/stat"
# Without root, hidepid hides both.
_INIT = "/proc/1/stat"

SOURCES = _MARKS + (_KERNEL,)


def is_lxcfs(sources: Sources) -> bool:
    """Return whether lxcfs shows the container's own figures in some files of /proc, but the host's in others."""
    return sources.get(_MARKS[0], "").startswith("lxc") or " fuse.lxcfs " in sources.get("/proc/self/mountinfo", "")


def is_container(sources: Sources) -> bool:
    """Return whether the host is a container: it says so, or its first process is seen and the kernel's is not."""
    if sources.get(_KERNEL, "").startswith("2 (kthreadd)"):
        return False
    return _INIT in sources or any(path in sources for path in _MARKS)
