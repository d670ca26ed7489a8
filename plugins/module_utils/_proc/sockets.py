# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse /proc/net: sockets by protocol and state."""

from __future__ import annotations

import re
from typing import Dict, Optional, Pattern, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Sockets

TABLES = ("tcp", "tcp6", "udp", "udp6", "unix")
SOURCES = tuple("/proc/net/" + name for name in TABLES + ("sockstat", "sockstat6")) + (
    "/proc/sys/net/ipv4/tcp_mem",
    "/proc/sys/net/ipv4/tcp_max_orphans",
)

# In the order of the kernel's numbers (include/net/tcp_states.h), with the names that ss gives them.
_STATES = (
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait_1",
    "fin_wait_2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
    "new_syn_recv",
)
_INTERNET = re.compile(r"^ *\d+: [0-9A-F]{8,32}:[0-9A-F]{4} [0-9A-F]{8,32}:[0-9A-F]{4} ([0-9A-F]{2}) ", re.MULTILINE)
_UNIX = re.compile(r"^[0-9a-fA-F]{8,16}: ", re.MULTILINE)


def parse(sources: Sources, page_size: int) -> Sockets:
    """Return counts of the sockets in the reader's network namespace; None for a table that was not read."""
    v4, v6 = _families(sources.get("/proc/net/sockstat", "")), _families(sources.get("/proc/net/sockstat6", ""))
    tcp, memory = v4.get("TCP", {}), sources.get("/proc/sys/net/ipv4/tcp_mem", "").split()
    limit = memory[2] if len(memory) == 3 and memory[2].isdecimal() and len(memory[2]) < 16 else None
    orphans = sources.get("/proc/sys/net/ipv4/tcp_max_orphans", "").strip()
    return {
        "used": v4.get("sockets", {}).get("used"),
        "tcp": _states(sources, ("tcp", "tcp6")),
        "tcp_in_use": _sum(tcp.get("inuse"), v6.get("TCP6", {}).get("inuse")),
        "tcp_orphaned": tcp.get("orphan"),
        "tcp_max_orphaned": int(orphans) if orphans.isdecimal() and len(orphans) < 16 else None,
        "tcp_time_wait": tcp.get("tw"),
        "tcp_memory_bytes": None if tcp.get("mem") is None else tcp["mem"] * page_size,
        "tcp_max_memory_bytes": None if limit is None else int(limit) * page_size,
        "udp": _rows(sources, ("udp", "udp6"), _INTERNET),
        "unix": _rows(sources, ("unix",), _UNIX),
    }


def _states(sources: Sources, names: Sequence[str]) -> Optional[Dict[str, int]]:
    """Return the count of each state; None if none of the tables was read."""
    texts = [sources["/proc/net/" + name] for name in names if "/proc/net/" + name in sources]
    if not texts:
        return None
    counts = dict.fromkeys(_STATES, 0)
    for text in texts:
        for state in _INTERNET.findall(text):
            number = int(state, 16)
            if 1 <= number <= len(_STATES):
                counts[_STATES[number - 1]] += 1
    return counts


def _rows(sources: Sources, names: Sequence[str], row: Pattern[str]) -> Optional[int]:
    texts = [sources["/proc/net/" + name] for name in names if "/proc/net/" + name in sources]
    return sum(len(row.findall(text)) for text in texts) if texts else None


def _families(text: str) -> Dict[str, Dict[str, int]]:
    """Return the counters of each family of sockstat."""
    families: Dict[str, Dict[str, int]] = {}
    for line in text.splitlines():
        family, colon, rest = line.partition(":")
        words = rest.split()
        if colon:
            families[family] = {
                name: int(value)
                for name, value in zip(words[::2], words[1::2])
                if value.isdecimal() and len(value) < 19
            }
    return families


def _sum(*counts: Optional[int]) -> Optional[int]:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
