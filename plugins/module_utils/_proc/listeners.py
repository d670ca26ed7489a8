# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens where: sockets of TCP and UDP with the process, unit and package behind them, as the facts C(lifeline_listeners)."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import socket

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock, page_size, processes as proc_processes
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, parse_size, timestamp
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import listens, parse_show

TABLES = ("tcp", "tcp6", "udp", "udp6")
SOURCES = tuple("/proc/net/" + name for name in TABLES)

# What listens on any box that is reached, kept in time and watched: units, or names of processes.
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

# Where a distribution's packages keep the file that a unit is made of.
UNIT_FOLDERS = ("/usr/lib/systemd/system/", "/lib/systemd/system/")
SCRIPT_FOLDER = "/etc/init.d/"

_ROW = re.compile(
    r"^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) "
    r"\S+ \S+ \S+ +(\d{1,10}) +\d+ (\d{1,20})\b",
    re.MULTILINE,
)
# TCP's state "listen", and that of a UDP socket that is connected to nobody.
_LISTENS = {"tcp": "0A", "udp": "07"}
_HOLDER = re.compile(r"^(\d{1,20}) (\d{1,10})$", re.MULTILINE)
_EXECUTABLE = re.compile(r"^(\d{1,10}) (/.*)$", re.MULTILINE)
_OWNER = re.compile(r"^([a-z0-9][a-z0-9.+-]*)(?::[a-z0-9-]+)?(?:, [^:/]+(?::[a-z0-9-]+)?)*: (/.*)$", re.MULTILINE)
_PORT = re.compile(r"^(?:.*:)?(\d{1,5})$")
_EXPECTED_PORT = re.compile(r"^(tcp|udp)/(\d{1,5})$")

# What a cache takes at most, as its command line tells it.
_VARNISH_NAMES = ("varnishd", "cache-main", "vinyld")
_VARNISH_STORAGE = re.compile(
    r"^(?:[\w-]+=)?(?:malloc|file|default|umem),(?:[^,]*/[^,]*,)?(\d+(?:\.\d+)?[kKmMgGtT]?[bB]?)(?:,|$)"
)


def check_expected(expected):
    """Raise ValueError, with a sentence, for an entry that is no port, unit or process name."""
    for entry in expected:
        port = _EXPECTED_PORT.match(entry)
        if (port and 0 < int(port.group(2)) < 65536) or (
            entry and "/" not in entry and not any(char.isspace() for char in entry)
        ):
            continue
        raise ValueError(
            f"{entry!r} is nothing that can be expected: write tcp/22 or udp/68, a unit such as ssh.service, or a process's name"
        )


def parse(sources, expected=None, users=None):
    """The facts dictionary; a value is None where it could not be read. Without V(expected) nobody says what is."""
    table = proc_processes.parse_table(sources)
    holders = {}
    for inode, pid in _HOLDER.findall(sources.get("sockets", "")):
        holders.setdefault(inode, set()).add(int(pid))
    known = _Known(sources, table)
    rows = _rows(sources)
    listeners = [_listener(row, known.holder(holders.get(row["inode"], ())), known, users or {}) for row in rows]
    listeners.sort(key=lambda one: (one["protocol"], one["port"], one["address"]))
    for listener in listeners:
        listener["expected"] = None if expected is None else _is_expected(listener, expected)
    return {
        "listeners": listeners,
        "listeners_total": len(listeners) if any(path in sources for path in SOURCES) else None,
        "unreadable": sum(listener["pid"] is None for listener in listeners),
        "unexpected": None if expected is None else _services([one for one in listeners if not one["expected"]]),
    }


def inodes(sources):
    """The numbers of the sockets whose processes are sought."""
    return {row["inode"] for row in _rows(sources)}


def holder_of(table, pids):
    """Of all processes that have a socket the one that it is for: the topmost, and systemd only where nobody else has it.

    V(table) maps a process's number to what C(_processes) knows of it.
    """
    others = {pid for pid in pids if pid != 1} or set(pids)
    topmost = {pid for pid in others if pid not in table or table[pid]["ppid"] not in others}
    return min(topmost or others, default=None)


class _Known:
    """What is known of the processes that hold sockets."""

    def __init__(self, sources, table):
        self.sources = sources
        self.table = table
        self.page = page_size.page_size(sources)
        self.booted = clock.boot_time(sources)
        self.executables = {int(pid): path for pid, path in _EXECUTABLE.findall(sources.get("exes", ""))}
        self.owners = {}
        for package, path in _OWNER.findall(sources.get("packages", "")):
            self.owners.setdefault(path, package)
        self.socket_units = _socket_units(sources.get("socket_units", ""))

    def holder(self, pids):
        return holder_of(self.table, pids)

    def unit(self, pid):
        return cgroup_units.system_unit(self.sources, pid)

    def package(self, pid):
        path = self.executables.get(pid)
        return (
            None if path is None else next((self.owners[one] for one in both_places(path) if one in self.owners), None)
        )

    def unit_package(self, unit):
        return next((self.owners[path] for path in unit_paths(unit) if path in self.owners), None)

    def memory(self, pid, unit):
        """What the process and those below it hold. Who logs in through sshd is below it, but in a unit of his own."""
        if pid not in self.table:
            return None
        members = [
            one for one in proc_processes.tree(self.table, [pid]) if one == pid or self.unit(one) in (unit, None)
        ]
        return sum(self.table[one]["rss_bytes"] for one in members)

    def cache(self, pid):
        command_line = self.sources.get(f"/proc/{pid}/cmdline")
        return (
            None
            if command_line is None or pid not in self.table
            else cache_bytes(self.table[pid]["name"], command_line.split("\0"))
        )


def both_places(path):
    """A file's path on a box whose /bin, /sbin and /lib are links into /usr: the package may know it by either."""
    if path.startswith("/usr/"):
        return (path, path[4:])
    return (path, "/usr" + path)


def unit_paths(unit):
    """The files that a package may have a unit's from; an instance has its template's."""
    if not unit or "/" in unit:
        return []
    name, at, rest = unit.partition("@")
    kind = rest.rpartition(".")[2] if at else ""
    template = f"{name}@.{kind}" if at else unit
    return [folder + template for folder in UNIT_FOLDERS] + [SCRIPT_FOLDER + unit[: -len(".service")]] * unit.endswith(
        ".service"
    )


def cache_bytes(name, words):
    """The cache that a command line gives to Varnish (-s malloc,1G) or memcached (-m 64), or None."""
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


def _rows(sources):
    rows = []
    for name in TABLES:
        protocol = name[:3]
        for address, port, remote, remote_port, state, uid, inode in _ROW.findall(sources.get("/proc/net/" + name, "")):
            if state == _LISTENS[protocol] and remote_port == "0000" and not remote.strip("0"):
                rows.append(
                    {
                        "protocol": protocol,
                        "address": _address(address),
                        "port": int(port, 16),
                        "uid": int(uid),
                        "inode": inode,
                    }
                )
    return rows


def _address(text):
    # The kernel prints each word of 32 bits as the machine has it in memory.
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def _written(address):
    # Python's own way to write an address has changed with 3.13.
    return socket.inet_ntop(socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed)


def _is_loopback(address):
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _listener(row, pid, known, users):
    unit = None if pid is None else known.unit(pid)
    process = known.table.get(pid)
    # What only systemd holds waits for its first connection: the unit is the socket's, the process isn't there yet.
    by_systemd = pid == 1
    if by_systemd:
        unit = known.socket_units.get(
            (_written(row["address"]), row["port"]), known.socket_units.get((None, row["port"]), unit)
        )
    return {
        "protocol": row["protocol"],
        "address": _written(row["address"]),
        "port": row["port"],
        "loopback": _is_loopback(row["address"]),
        "user": users.get(row["uid"]),
        "pid": pid,
        "name": None if process is None else process["name"],
        "unit": unit,
        "package": None if pid is None else known.package(pid),
        "unit_package": known.unit_package(unit),
        "started": None
        if process is None or known.booted is None
        else timestamp(known.booted + process["started_seconds"]),
        "age_seconds": None if process is None else process["age_seconds"],
        "memory_bytes": None if pid is None or by_systemd else known.memory(pid, unit),
        "cache_bytes": None if pid is None else known.cache(pid),
    }


def _is_expected(listener, expected):
    for entry in expected:
        port = _EXPECTED_PORT.match(entry)
        if port:
            if (listener["protocol"], listener["port"]) == (port.group(1), int(port.group(2))):
                return True
        elif any(name is not None and fnmatch.fnmatchcase(name, entry) for name in _names(listener)):
            return True
    return False


def _names(listener):
    unit = listener["unit"]
    return (
        unit,
        unit[: -len(".service")] if unit is not None and unit.endswith(".service") else None,
        listener["name"],
    )


def _services(listeners):
    """The listeners of one unit or process as one, those that hold the most memory first."""
    grouped = {}
    for listener in listeners:
        grouped.setdefault(_whose(listener), []).append(listener)
    services = []
    for group in grouped.values():
        # Where a unit has several processes that listen, none of which is below the other, they add up.
        processes = {listener["pid"]: listener for listener in group}.values()
        service = {
            key: group[0][key] for key in ("unit", "name", "pid", "package", "unit_package", "started", "age_seconds")
        }
        service.update(
            memory_bytes=_sum(one["memory_bytes"] for one in processes),
            cache_bytes=_sum(one["cache_bytes"] for one in processes),
            loopback=all(listener["loopback"] for listener in group),
            listens=[_place(listener) for listener in group],
        )
        service["text"] = _text(service)
        services.append(service)
    return sorted(services, key=lambda service: (-(service["memory_bytes"] or 0), service["listens"]))


def _whose(listener):
    """What makes two listeners one service. A unit that is no service holds programs that have nothing to do with each other."""
    if (listener["unit"] or "").endswith((".service", ".socket")):
        return listener["unit"]
    return listener["pid"] if listener["pid"] is not None else _place(listener)


def _place(listener):
    return "%s/%s:%d" % (
        listener["protocol"],
        "[%s]" % listener["address"] if ":" in listener["address"] else listener["address"],
        listener["port"],
    )


def _text(service):
    """One sentence that names a service, where it listens and its size."""
    package = service["unit_package"] or service["package"]
    known = [service["unit"], None if package is None else "package " + package]
    inside = ", ".join(one for one in known if one)
    sizes = []
    if service["memory_bytes"] is not None:
        sizes.append("holds " + format_size(service["memory_bytes"]))
    if service["cache_bytes"] is not None:
        sizes.append("has a cache of up to " + format_size(service["cache_bytes"]))
    return "%s%s listens on %s%s" % (
        service["name"] or "the kernel, or a process that this user may not see,",
        " (%s)" % inside if inside else "",
        " ".join(service["listens"]),
        "".join(", " + size for size in sizes),
    )


def _socket_units(text):
    """Address and port to the unit that systemd listens there for; the address is None where it is every address."""
    units = {}
    for shown in parse_show(text):
        for _kind, listed in listens(shown) if shown.get("Id") else ():
            port = _PORT.match(listed)
            if port:
                units[_listed_address(listed), int(port.group(1))] = shown["Id"]
    return units


def _listed_address(listed):
    host = listed.rpartition(":")[0].strip("[]")
    try:
        return _written(ipaddress.ip_address(host))
    except ValueError:
        return None


def _sum(values):
    known = [value for value in values if value is not None]
    return sum(known) if known else None
