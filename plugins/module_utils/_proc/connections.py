# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find which processes are connected to which over TCP and UNIX sockets on one host."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import descriptor_reader, listeners

TABLES = ("tcp", "tcp6")
SOURCES = (*("/proc/net/" + name for name in TABLES), "/proc/net/unix")

_ESTABLISHED = "01"
_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")
# Type stream, state connected; only the server's end of a connection has the path.
_UNIX = re.compile(r"^[0-9a-fA-F]+: [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{8} 0001 03 +(\d+) (/.*)$", re.MULTILINE)
_LISTENS = "0A"

_End = Tuple[str, str]


class Connection(NamedTuple):
    """A connection to a process that listens. `client` is None if it is unknown or on another host; see `place`."""

    server: int
    client: Optional[int]
    place: str


def read() -> Tuple[Dict[str, str], Dict[int, List[str]]]:
    """Return the tables of the kernel, and what the descriptors of all processes link to."""
    return _reader.read_files(SOURCES), descriptor_reader.links(_reader.list_pids())


def parse(sources: Mapping[str, str], links: Mapping[int, Sequence[str]]) -> List[Connection]:
    """Return the established connections to sockets that listen on this host."""
    holders: Dict[str, int] = {}
    for pid, targets in sorted(links.items(), reverse=True):
        for target in targets:
            match = _SOCKET.match(target)
            if match:
                holders[match.group(1)] = pid
    found = _tcp(sources, holders)
    for inode, path in _UNIX.findall(sources.get("/proc/net/unix", "")):
        if inode in holders:
            found.append(Connection(holders[inode], None, path))
    return found


def _tcp(sources: Mapping[str, str], holders: Mapping[str, int]) -> List[Connection]:
    ports: Set[str] = set()
    ends: Dict[Tuple[_End, _End], str] = {}
    for name in TABLES:
        for address, port, remote, remote_port, state, _uid, inode in listeners.ROW.findall(
            sources.get("/proc/net/" + name, "")
        ):
            if state == _LISTENS:
                ports.add(port)
            elif state == _ESTABLISHED:
                ends[(_plain(address), port), (_plain(remote), remote_port)] = inode
    found = []
    for (local, remote), inode in ends.items():
        if local[1] in ports and inode in holders:
            client = holders.get(ends.get((remote, local), ""))
            place = f"tcp/{int(local[1], 16)} from {listeners.address_of(remote[0])}"
            found.append(Connection(holders[inode], client, place))
    return found


def _plain(address: str) -> str:
    """Return an IPv4 address that an IPv6 socket has as IPv4."""
    return address[24:] if address.startswith("0000000000000000FFFF0000") and len(address) == 32 else address
