# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse sockets that listen, with their process, unit and package, into the facts `lifeline_listeners`."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import socket
from typing import Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import (
    Listener,
    Listeners,
    Table,
    UnexpectedService,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, processes as proc_processes
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.subtrees import MemoryOfUnits
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, parse_size, timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import listens, parse_show

TABLES = ("tcp", "tcp6", "udp", "udp6")
SOURCES = tuple("/proc/net/" + name for name in TABLES)

# Units and processes that listen on any host with logins, time synchronization and monitoring.
ON_ANY_BOX = (
    "ssh.service",
    "ssh.socket",
    "ssh@*.service",
    "sshd.service",
    "sshd.socket",
    "sshd@*.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "networking.service",
    "NetworkManager.service",
    "ifup@*.service",
    "dhclient",
    "dhcpcd",
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "cloud-*.service",
    "tailscaled.service",
    "wg-quick@*.service",
    "openvpn*.service",
    "monit.service",
    "fail2ban.service",
)

# Where packages of a distribution put the files of units.
UNIT_FOLDERS = ("/usr/lib/systemd/system/", "/lib/systemd/system/")
SCRIPT_FOLDER = "/etc/init.d/"

# A row of the kernel's tables: both ends in hexadecimal, the state, the user, and the inode.
ROW = re.compile(
    r"^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) "
    r"\S+ \S+ \S+ +(\d{1,10}) +\d+ (\d{1,20})\b",
    re.MULTILINE,
)
# TCP's state "listen", and that of a UDP socket without a peer.
_LISTENS = {"tcp": "0A", "udp": "07"}
_HOLDER = re.compile(r"^(\d{1,20}) (\d{1,10})$", re.MULTILINE)
_EXECUTABLE = re.compile(r"^(\d{1,10}) (/.*)$", re.MULTILINE)
_OWNER = re.compile(r"^([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?(?:, [^:/,]+(?::[a-z0-9-]+)?)*: (/.*)$", re.MULTILINE)
_PORT = re.compile(r"^(?:.*:)?(\d{1,5})$")
_EXPECTED_PORT = re.compile(r"^(tcp|udp)/(\d{1,5})$")

# The command line of a cache has its maximum size.
_VARNISH_NAMES = ("varnishd", "cache-main", "vinyld")
_VARNISH_STORAGE = re.compile(
    r"^(?:[\w-]+=)?(?:malloc|file|default|umem),(?:[^,/]*/[^,]*,)?(\d{1,15}(?:\.\d{1,9})?[kKmMgGtT]?[bB]?)(?:,|$)"
)


_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class _Row(NamedTuple):
    """A socket that listens."""

    protocol: str
    address: _Address
    port: int
    uid: int
    inode: str


def check_expected(expected: Iterable[str]) -> None:
    """Raise ValueError, with a sentence, for an entry that is not a port, unit or process name."""
    for entry in expected:
        port = _EXPECTED_PORT.match(entry)
        if (port and 0 < int(port.group(2)) < 65536) or (
            entry and "/" not in entry and not any(char.isspace() for char in entry)
        ):
            continue
        raise ValueError(
            f"not a port, unit or process name ({entry!r}); write tcp/22, udp/68, ssh.service or memcached"
        )


def parse(
    sources: Sources, expected: Optional[Sequence[str]] = None, users: Optional[Mapping[int, str]] = None
) -> Listeners:
    """Return what listens; a value is None if it could not be read.

    `expected` are ports, units and process names that may listen; without it, nothing is unexpected. `users` maps user
    ids to names.
    """
    table = proc_processes.parse_table(sources)
    holders: Dict[str, Set[int]] = {}
    for inode, pid in _HOLDER.findall(sources.get("sockets", "")):
        holders.setdefault(inode, set()).add(int(pid))
    known = _Known(sources, table)
    listeners = [
        _listener(row, holder_of(table, holders.get(row.inode, ())), known, users or {}, expected)
        for row in _rows(sources)
    ]
    listeners.sort(key=lambda one: (one["protocol"], one["port"], one["address"]))
    return {
        "listeners": listeners,
        "listeners_total": len(listeners) if any(path in sources for path in SOURCES) else None,
        "unreadable": sum(listener["pid"] is None for listener in listeners),
        "unexpected": None if expected is None else _services([one for one in listeners if not one["expected"]]),
    }


def inodes(sources: Sources) -> Set[str]:
    """Return the inodes of the sockets whose processes are to be found."""
    return {row.inode for row in _rows(sources)}


def holder_of(table: Table, pids: Collection[int]) -> Optional[int]:
    """Return the process that a socket is for: the topmost that has it, and systemd only if no other has it."""
    others = {pid for pid in pids if pid != 1} or set(pids)
    topmost = {pid for pid in others if pid not in table or table[pid]["ppid"] not in others}
    return min(topmost or others, default=None)


class _Known:
    """The known facts about the processes that hold sockets."""

    def __init__(self, sources: Sources, table: Table) -> None:
        self.sources = sources
        self.table = table
        self.booted = clock.boot_time(sources)
        self.executables = {int(pid): path for pid, path in _EXECUTABLE.findall(sources.get("exes", ""))}
        self.owners: Dict[str, str] = {}
        for package, path in _OWNER.findall(sources.get("packages", "")):
            self.owners.setdefault(path, package)
        self.socket_units = _socket_units(sources.get("socket_units", ""))
        self._units: Dict[int, Optional[str]] = {}
        self._memory = MemoryOfUnits(table, self.unit)

    def unit(self, pid: int) -> Optional[str]:
        if pid not in self._units:
            self._units[pid] = cgroup_units.system_unit(self.sources, pid)
        return self._units[pid]

    def unit_of_socket(self, row: _Row) -> Optional[str]:
        """Return the unit that systemd listens for at an address, or at the port of every address."""
        exact = self.socket_units.get((_written(row.address), row.port))
        return exact or self.socket_units.get((None, row.port))

    def package(self, pid: int) -> Optional[str]:
        path = self.executables.get(pid)
        return None if path is None else self._owner(both_places(path))

    def unit_package(self, unit: Optional[str]) -> Optional[str]:
        return self._owner(unit_paths(unit))

    def _owner(self, paths: Iterable[str]) -> Optional[str]:
        return next((escape(self.owners[path]) for path in paths if path in self.owners), None)

    def memory(self, pid: int, unit: Optional[str]) -> Optional[int]:
        """Return the resident sets of a process and those below it, without sessions, which have units of their own."""
        return self._memory.of(pid, unit) if pid in self.table else None

    def cache(self, pid: int) -> Optional[int]:
        command_line = self.sources.get(f"/proc/{pid}/cmdline")
        if command_line is None or pid not in self.table:
            return None
        return cache_bytes(self.table[pid]["name"], command_line.split("\0"))


def both_places(path: str) -> Tuple[str, str]:
    """Return a file's path with and without /usr: on a host where /bin and /lib are links, a package knows either."""
    if path.startswith("/usr/"):
        return path, path[4:]
    return path, "/usr" + path


def unit_paths(unit: Optional[str]) -> List[str]:
    """Return the files of a package that a unit may come from; an instance comes from its template's."""
    if not unit or "/" in unit:
        return []
    name, at, rest = unit.partition("@")
    kind = rest.rpartition(".")[2] if at else ""
    template = f"{name}@.{kind}" if at else unit
    paths = [folder + template for folder in UNIT_FOLDERS]
    if unit.endswith(".service"):
        paths.append(SCRIPT_FOLDER + unit[: -len(".service")])
    return paths


def cache_bytes(name: str, words: Sequence[str]) -> Optional[int]:
    """Return the cache that a command line gives to Varnish (-s malloc,1G) or memcached (-m 64); None for others."""
    found = []
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        if name in _VARNISH_NAMES and word[:2] == "-s":
            storage = _VARNISH_STORAGE.match(word[2:] or following)
            if storage:
                found.append(parse_size(storage.group(1)))
        elif name == "memcached" and word[:2] == "-m":
            megabytes = word[2:] or following
            if megabytes.isdecimal() and len(megabytes) < 12:
                found.append(int(megabytes) << 20)
    return sum(found) if found else None


def _rows(sources: Sources) -> List[_Row]:
    rows = []
    for name in TABLES:
        protocol = name[:3]
        for address, port, remote, remote_port, state, uid, inode in ROW.findall(sources.get("/proc/net/" + name, "")):
            if state == _LISTENS[protocol] and remote_port == "0000" and not remote.strip("0"):
                rows.append(_Row(protocol, address_of(address), int(port, 16), int(uid), inode))
    return rows


def address_of(text: str) -> _Address:
    """Return the address that a table of the kernel has in hexadecimal."""
    # The kernel prints each word of 32 bits as the machine has it in memory.
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def _written(address: _Address) -> str:
    # Python 3.13 has changed how it writes an address.
    return socket.inet_ntop(socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed)


def _is_loopback(address: _Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _listener(
    row: _Row, pid: Optional[int], known: _Known, users: Mapping[int, str], expected: Optional[Sequence[str]]
) -> Listener:
    unit = None if pid is None else known.unit(pid)
    process = None if pid is None else known.table.get(pid)
    # A socket that only systemd holds waits for its first connection: its unit is known, its process does not exist.
    by_systemd = pid == 1
    if by_systemd:
        unit = known.unit_of_socket(row) or unit
    name = None if process is None else process["name"]
    started = None if process is None or known.booted is None else known.booted + process["started_seconds"]
    return {
        "protocol": row.protocol,
        "address": _written(row.address),
        "port": row.port,
        "loopback": _is_loopback(row.address),
        "user": users.get(row.uid),
        "pid": pid,
        "name": name,
        "unit": unit,
        "package": None if pid is None else known.package(pid),
        "unit_package": known.unit_package(unit),
        "started": timestamp(started),
        "age_seconds": None if process is None else process["age_seconds"],
        "memory_bytes": None if pid is None or by_systemd else known.memory(pid, unit),
        "cache_bytes": None if pid is None else known.cache(pid),
        "expected": None if expected is None else _is_expected(row.protocol, row.port, unit, name, expected),
    }


def _is_expected(protocol: str, port: int, unit: Optional[str], name: Optional[str], expected: Sequence[str]) -> bool:
    stem = unit[: -len(".service")] if unit is not None and unit.endswith(".service") else None
    names = [one for one in (unit, stem, name) if one is not None]
    for entry in expected:
        wanted = _EXPECTED_PORT.match(entry)
        if wanted:
            if (protocol, port) == (wanted.group(1), int(wanted.group(2))):
                return True
        elif any(fnmatch.fnmatchcase(one, entry) for one in names):
            return True
    return False


def _services(listeners: Sequence[Listener]) -> List[UnexpectedService]:
    """Return the listeners of each unit or process as one, those that hold the most memory first."""
    grouped: Dict[Union[str, int], List[Listener]] = {}
    for listener in listeners:
        grouped.setdefault(_key(listener), []).append(listener)
    services = [_service(group) for group in grouped.values()]
    return sorted(services, key=lambda service: (-(service["memory_bytes"] or 0), service["listens"]))


def _service(group: Sequence[Listener]) -> UnexpectedService:
    first = group[0]
    # Processes of one unit that listen are not below each other, so they add up.
    by_process = {listener["pid"]: listener for listener in group}.values()
    service: UnexpectedService = {
        "unit": first["unit"],
        "name": first["name"],
        "pid": first["pid"],
        "package": first["package"],
        "unit_package": first["unit_package"],
        "started": first["started"],
        "age_seconds": first["age_seconds"],
        "memory_bytes": _sum(one["memory_bytes"] for one in by_process),
        "cache_bytes": _sum(one["cache_bytes"] for one in by_process),
        "loopback": all(listener["loopback"] for listener in group),
        "listens": [_place(listener) for listener in group],
        "text": "",
    }
    service["text"] = _text(service)
    return service


def _key(listener: Listener) -> Union[str, int]:
    """Return what two listeners of one service have in common. Programs in a unit of another kind are unrelated."""
    unit = listener["unit"]
    if unit is not None and unit.endswith((".service", ".socket")):
        return unit
    return listener["pid"] if listener["pid"] is not None else _place(listener)


def _place(listener: Listener) -> str:
    address = listener["address"]
    return f"{listener['protocol']}/{f'[{address}]' if ':' in address else address}:{listener['port']}"


def _text(service: UnexpectedService) -> str:
    """Return one sentence that names a service, where it listens and its size."""
    package = service["unit_package"] or service["package"]
    inside = [one for one in (service["unit"], None if package is None else "package " + package) if one]
    words = [service["name"] or "the kernel, or a process that this user may not see,"]
    if inside:
        words.append(f"({', '.join(inside)})")
    words += ["listens on", *service["listens"]]
    text = " ".join(words)
    if service["memory_bytes"] is not None:
        text += ", holds " + format_size(service["memory_bytes"])
    if service["cache_bytes"] is not None:
        text += ", has a cache of up to " + format_size(service["cache_bytes"])
    return text


def _socket_units(text: str) -> Dict[Tuple[Optional[str], int], str]:
    """Return the units that systemd listens for, by address and port; the address is None for every address."""
    units = {}
    for shown in parse_show(text):
        for _kind, listed in listens(shown) if shown.get("Id") else ():
            port = _PORT.match(listed)
            if port:
                units[_listed_address(listed), int(port.group(1))] = escape(shown["Id"])
    return units


def _listed_address(listed: str) -> Optional[str]:
    host = listed.rpartition(":")[0].strip("[]")
    try:
        return _written(ipaddress.ip_address(host))
    except ValueError:
        return None


def _sum(values: Iterable[Optional[int]]) -> Optional[int]:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
