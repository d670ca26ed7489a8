# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files for fail2ban, and parse what fail2ban and nft print of its jails."""

from __future__ import annotations

import ast
import ipaddress
import re
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Set, Tuple, Union

# A command of `fail2ban-client -d`: words, and lists or pairs of words.
Command = List[Any]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

LOOPBACK = ("127.0.0.0/8", "::1")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2629800, "y": 31557600}
_PART = re.compile(r"(\d+)\s*(mo|[smhdwy])")
_SPAN = re.compile(r"(?:\d+\s*(?:mo|[smhdwy])\s*)+")
_HEADER = (
    "# Written by role lifeline.fleet.fail2ban. It is the last file that fail2ban reads, so it overrides the others.\n"
)


def seconds(value: object) -> int:
    """Return the seconds of a time such as 600, 10m or 1d 12h, as fail2ban reads it; -1 is for ever.

    Raises ValueError.
    """
    text = str(value).strip()
    if re.fullmatch(r"-1|\d+", text):
        return int(text)
    if isinstance(value, bool) or not _SPAN.fullmatch(text):
        raise ValueError(f"{value!r} is not a time")
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def text(sections: Iterable[Tuple[str, Mapping[str, Any]]]) -> str:
    """Return an ini file of sections and their settings. A list gets a line for each element, None is left out."""
    lines = [_HEADER]
    for name, settings in sections:
        lines.append(f"[{name}]\n")
        lines += [f"{key} = {_value(value)}\n" for key, value in settings.items() if value is not None]
        lines.append("\n")
    return "".join(lines).rstrip("\n") + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "\n    ".join(str(item) for item in value)
    return str(value)


def ignored(*lists: Iterable[str]) -> List[str]:
    """Return the addresses and networks of all lists and of the loopback, without those that lie within others.

    Raises ValueError.
    """
    networks = [ipaddress.ip_network(entry) for entries in (LOOPBACK, *lists) for entry in entries]
    kept: List[Network] = []
    kept += ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    kept += ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return [str(network.network_address if network.num_addresses == 1 else network) for network in kept]


def address(written: str) -> str:
    """Return an address of sshd's log as fail2ban would ban it."""
    parsed = ipaddress.ip_address(written.partition("%")[0])
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def is_ignored(written: str, networks: Iterable[str]) -> bool:
    """Return whether an address or a network lies within one of `networks`. Other texts do not."""
    try:
        banned = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return False
    for entry in networks:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue  # fail2ban accepts host names as well
        if _within(banned, network):
            return True
    return False


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


def missing(wanted: Iterable[str], present: Sequence[str]) -> List[str]:
    """Return those of the addresses and networks `wanted` that `present` does not contain."""
    return [entry for entry in wanted if not is_ignored(entry, present)]


def commands(output: str) -> List[Command]:
    """Parse what `fail2ban-client -d` prints: the commands that would configure the daemon."""
    found: List[Command] = []
    for line in output.splitlines():
        if line.startswith("["):
            try:
                command = ast.literal_eval(line)
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                continue  # a message that begins with a bracket
            if command and isinstance(command, list):
                found.append(command)
    return found


def jails(stream: Iterable[Command]) -> Dict[str, Dict[str, Any]]:
    """Return the jails that would run, each with its backend, ignored addresses, actions, and its plain settings."""
    found: Dict[str, Dict[str, Any]] = {}
    for command in stream:
        if command[0] == "add":
            found[command[1]] = {"backend": command[2], "ignoreip": [], "actions": [], "started": False}
        elif command[0] == "start" and command[1] in found:
            found[command[1]]["started"] = True
        elif command[0] == "set" and len(command) > 3 and command[1] in found:
            if command[2] == "addignoreip":
                found[command[1]]["ignoreip"] += command[3:]
            elif command[2] == "addaction":
                found[command[1]]["actions"].append(str(command[3]))
            else:
                found[command[1]][command[2]] = command[3]
    return found


def errors(stream: Iterable[Command]) -> List[str]:
    """Return fail2ban's reasons for leaving out jails."""
    return [str(command[1]) for command in stream if command[0] == "config-error" and len(command) > 1]


THRESHOLDS = ("maxretry", "findtime", "bantime")


def differences(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Dict[str, str]:
    """Return how the thresholds and the actions of a jail differ from the wanted ones, by the key that sets them."""
    found = {}
    for key in THRESHOLDS:
        if wanted.get(key) is None:
            continue
        try:
            same = seconds(wanted[key]) == seconds(got.get(key))
        except ValueError:
            same = False
        if not same:
            found[key] = f"{key} is {got.get(key)} instead of {wanted[key]}"
    present = list(got.get("actions", ()))
    lacking = [action for action in wanted_actions(wanted) if action not in present]
    if lacking:
        key = "banaction" if wanted.get("action") is None else "action"
        found[key] = f"{key} is {', '.join(present) or 'not set'} instead of {', '.join(lacking)}"
    return found


def wanted_actions(settings: Mapping[str, Any]) -> List[str]:
    """Return the names of the actions that a jail must have. A reference to another setting names no action."""
    value = settings.get("action")
    if value is None:
        value = settings.get("banaction")
    written = "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")
    names = [line.partition("[")[0].strip() for line in written.splitlines()]
    return [name for name in names if name and "%(" not in name]


def actions(stream: Iterable[Command]) -> Dict[Tuple[str, str], List[Tuple[str, Any]]]:
    """Return the properties of each action with their values, by jail and action."""
    return {
        (command[1], command[3]): command[4]
        for command in stream
        if command[0] == "multi-set" and command[2] == "action"
    }


class Rules:
    """The addresses and ports that nft has for a jail. `listing` is the JSON of `nft -j list ruleset`."""

    def __init__(self, listing: Mapping[str, Any], jail: str) -> None:
        sets: Dict[Tuple[str, str, str], Set[str]] = {}
        self.ports: List[Set[Tuple[int, int]]] = []
        used: Set[Tuple[str, str, str]] = set()
        for item in listing.get("nftables", []):
            entry = item.get("set")
            if entry and entry.get("name") in ("addr-set-" + jail, "addr6-set-" + jail):
                sets.setdefault((entry["family"], entry["table"], entry["name"]), set()).update(
                    map(_plain, entry.get("elem") or ())
                )
            entry = item.get("rule")
            if entry:
                matches = [expression["match"] for expression in entry.get("expr", []) if "match" in expression]
                names = [
                    match["right"][1:]
                    for match in matches
                    if match["right"] in ("@addr-set-" + jail, "@addr6-set-" + jail)
                ]
                used.update((entry["family"], entry["table"], name) for name in names)
                if names:
                    self.ports += [
                        _ports(match["right"])
                        for match in matches
                        if match["left"].get("payload", {}).get("field") == "dport"
                    ]
        # An address in a set that no rule refers to can still connect.
        self.addresses = {address for key, addresses in sets.items() if key in used for address in addresses}

    def differ(self, ports: str) -> bool:
        """Return whether a rule is for other ports than those of a jail. Names of services are not compared."""
        wanted = set()
        for port in ports.replace(" ", "").split(","):
            ends = port.replace("-", ":").split(":")
            if not all(end.isdecimal() for end in ends):
                return False
            wanted.add((int(ends[0]), int(ends[-1])))
        return any(found != wanted for found in self.ports)


def _plain(element: Any) -> str:
    while isinstance(element, dict):
        element = element.get("elem", element.get("val", ""))
    return str(element)


def _ports(right: Any) -> Set[Tuple[int, int]]:
    values = right["set"] if isinstance(right, dict) and "set" in right else [right]
    return {tuple(value["range"]) if isinstance(value, dict) else (value, value) for value in values}
