# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the kernel's tables that refuse new logins once they are full, as the facts `lifeline_kernel`."""

from __future__ import annotations

import re
from typing import Dict, List, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Kernel, TableUsage
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, container
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

_FILES = (
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/kernel/pty/nr",
    "/proc/sys/kernel/pty/max",
    "/run/nologin",
    "/etc/nologin",
    "/proc/net/sockstat",
    "/proc/net/sockstat6",
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/self/cgroup",
)
# systemd keeps a control group for each active socket unit, wherever its own hierarchy is mounted.
_SSH_SOCKETS = tuple(
    f"/sys/fs/cgroup{hierarchy}/system.slice/{name}.socket/cgroup.procs"
    for hierarchy in ("", "/unified", "/systemd")
    for name in ("ssh", "sshd")
)
SOURCES = _FILES + _SSH_SOCKETS + container.SOURCES
# ext4 counts the errors that it has met since the last check of each file system.
PATTERNS = ("/sys/fs/ext4/*/errors_count",)
_ERRORS = re.compile(r"/sys/fs/ext4/([^/]+)/errors_count\Z")
_SESSION = re.compile(r"/session-\w+\.scope$", re.MULTILINE)
_IN_USE = re.compile(r"^TCP6?: inuse (\d{1,9})(?: orphan \d{1,9} tw (\d{1,9}))?", re.MULTILINE)
_NOLOGIN = ("/run/nologin", "/etc/nologin")


def parse(sources: Sources) -> Kernel:
    """Return how full each table is; a value is None if the kernel doesn't report it.

    `pids` counts threads, since each takes a number of its own, in the fullest of the kernel's table and the control
    groups of the reading process. `ssh_socket` is whether systemd listens for sshd. `logins_refused_by` is the file
    that makes PAM refuse every login but root's. `ports` counts connections against the local ports of outgoing ones.
    `login_session` tells whether systemd-logind has made a session of this login, `disk_errors` has the errors of each
    ext4 file system by its device.
    """
    return {
        "pids": _fullest([_pids(sources)] + [_usage(*counts) for counts in cgroup.pids(sources)]),
        "conntrack": _usage(
            _number(sources, "/proc/sys/net/netfilter/nf_conntrack_count"),
            _number(sources, "/proc/sys/net/netfilter/nf_conntrack_max"),
        ),
        "ptys": _usage(_number(sources, "/proc/sys/kernel/pty/nr"), _number(sources, "/proc/sys/kernel/pty/max")),
        "ports": _ports(sources),
        "disk_errors": _disk_errors(sources),
        "login_session": _SESSION.search(sources.get("/proc/self/cgroup", "")) is not None,
        "container": container.is_container(sources),
        "lxcfs": container.is_lxcfs(sources),
        "ssh_socket": any(path in sources for path in _SSH_SOCKETS),
        "logins_refused_by": next((path for path in _NOLOGIN if path in sources), None),
    }


def _pids(sources: Sources) -> TableUsage:
    fields = sources.get("/proc/loadavg", "").split()
    threads = fields[3].partition("/")[2] if len(fields) > 3 else ""
    limits = [_number(sources, "/proc/sys/kernel/pid_max"), _number(sources, "/proc/sys/kernel/threads-max")]
    known = [limit for limit in limits if limit]
    return _usage(int(threads) if threads.isdecimal() and len(threads) < 19 else None, min(known) if known else None)


def _ports(sources: Sources) -> TableUsage:
    said = sources.get("/proc/net/sockstat", "") + sources.get("/proc/net/sockstat6", "")
    in_use = [int(count) for counts in _IN_USE.findall(said) for count in counts if count]
    ends = sources.get("/proc/sys/net/ipv4/ip_local_port_range", "").split()
    known = in_use and len(ends) == 2 and all(end.isdecimal() and len(end) < 6 for end in ends)
    return _usage(sum(in_use), max(0, int(ends[1]) - int(ends[0])) + 1) if known else _usage(None, None)


def _disk_errors(sources: Sources) -> Dict[str, int]:
    counts = ((_ERRORS.match(path), _number(sources, path)) for path in sources)
    return {found.group(1): count for found, count in counts if found and count}


def _usage(used: Optional[int], maximum: Optional[int]) -> TableUsage:
    return {"used": used, "maximum": maximum, "used_percent": percent(used, maximum)}


def _fullest(usages: List[TableUsage]) -> TableUsage:
    return max(usages, key=lambda usage: -1 if usage["used_percent"] is None else usage["used_percent"])


def _number(sources: Sources, path: str) -> Optional[int]:
    text = sources.get(path, "").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None
