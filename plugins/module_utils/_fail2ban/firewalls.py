# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the addresses that the host's firewall drops for a jail, by the jail's actions."""

from __future__ import annotations

import json
import re
from typing import Dict, Iterable, List, Optional, Sequence, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import config

# Beginnings of the names of actions, and the firewall that they put their rules into. firewalld has them in either.
_FIREWALLS = {
    "nftables": "nftables",
    "iptables": "iptables",
    "ufw": "iptables",
    "firewallcmd-rich": "nftables ruleset",
    "firewallcmd-ipset": "nftables ruleset",
    "route": "routes",
}
# The program that an action runs, by the beginning of its name.
_PROGRAMS = {"nftables": "nft", "iptables": "iptables", "ufw": "ufw", "firewallcmd": "firewall-cmd", "route": "ip"}
# These write to the log or to a list of their own.
_NO_RULES = ("iptables-xt_recent", "iptables-multiport-log")
_PACKAGES = {"nft": "nftables", "iptables-save": "iptables", "ip": "iproute2"}
_HOST_MASK = re.compile(r"/(?:32|128)\Z")
_CHAIN = re.compile(r":(\S+) (\S+)")
_APPENDED = re.compile(r"-A (\S+) ")
_TARGET = re.compile(r" -[jg] (\S+)")
_SOURCE = re.compile(r"(?<!! )-s (\S+)")
_SET = re.compile(r" --match-set (\S+) src")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]+(?:/\d+)?")
_HARMLESS = ("ACCEPT", "RETURN", "LOG")


class FirewallError(Exception):
    """The firewall of an action cannot be asked; the text says why and what to do."""


def firewall(action: str) -> Optional[str]:
    """Return the firewall that an action puts its rules into, None if it has no rules that could be looked up."""
    if action.startswith(_NO_RULES):
        return None
    return next((kind for start, kind in _FIREWALLS.items() if action.startswith(start)), None)


def program(action: str) -> Optional[str]:
    """Return the program that an action runs, None if it is not known."""
    return next((name for start, name in _PROGRAMS.items() if action.startswith(start)), None)


class Firewalls:
    """The firewalls of the host."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def blocked(self, jail: str, actions: Iterable[str]) -> Set[str]:
        """Return the addresses that all firewalls of the actions of a jail drop. Raises FirewallError."""
        found: List[Set[str]] = []
        for kind in sorted({kind for kind in map(firewall, actions) if kind}):
            if kind == "nftables":
                found.append(self.rules(jail).addresses)
            elif kind == "nftables ruleset":
                found.append(_addresses(self._answer(jail, "nft", "list", "ruleset")))
            elif kind == "routes":
                routes = self._answer(jail, "ip", "route", "show") + self._answer(jail, "ip", "-6", "route", "show")
                lines = [
                    line for line in routes.splitlines() if line.startswith(("unreachable", "blackhole", "prohib"))
                ]
                found.append(_addresses("\n".join(lines)))
            else:
                found.append(self._iptables(jail))
        return set.intersection(*found) if found else set()

    def rules(self, jail: str) -> config.Rules:
        """Return the rules of fail2ban's own action for nftables. Raises FirewallError."""
        return config.Rules(json.loads(self._answer(jail, "nft", "-j", "list", "ruleset")), jail)

    def _iptables(self, jail: str) -> Set[str]:
        sets = self._answer(jail, "ipset", "save") if self._commands.find("ipset") else ""
        found = dropped(self._answer(jail, "iptables-save"), sets)
        if self._commands.find("ip6tables-save"):
            found |= dropped(self._answer(jail, "ip6tables-save"), sets)
        return found

    def _answer(self, jail: str, name: str, *arguments: str) -> str:
        program = self._commands.find(name)
        if program is None:
            package = _PACKAGES.get(name, name)
            raise FirewallError(
                f"{name} is not installed on this host, so jail {jail} bans no address; install the package {package}"
            )
        answer = self._commands.run(program, *arguments)
        if answer[0]:
            raise FirewallError(f"{name} cannot list its rules, so the bans cannot be proved: {words(answer)}")
        return answer[1]


def dropped(saved: str, sets: str = "") -> Set[str]:
    """Return the addresses that `iptables-save` drops in a chain that packets reach; `sets` is from `ipset save`."""
    members: Dict[str, Set[str]] = {}
    for line in sets.splitlines():
        parts = line.split()
        if parts[:1] == ["add"] and len(parts) > 2:
            members.setdefault(parts[1], set()).add(_plain(parts[2]))
    rules = [line for line in saved.splitlines() if _APPENDED.match(line)]
    # Chains of the kernel have a policy; those of users have none.
    reached = {match.group(1) for match in map(_CHAIN.match, saved.splitlines()) if match and match.group(2) != "-"}
    while True:
        more = {target for chain, target in _jumps(rules) if chain in reached} - reached
        if not more:
            break
        reached |= more
    found: Set[str] = set()
    for rule in rules:
        if rule.split()[1] not in reached or _target(rule) in (None, *_HARMLESS):
            continue
        found.update(_plain(source) for source in _SOURCE.findall(rule))
        for name in _SET.findall(rule):
            found |= members.get(name, set())
    return found


def _jumps(rules: Sequence[str]) -> List[Sequence[str]]:
    return [(rule.split()[1], target) for rule in rules for target in [_target(rule)] if target]


def _target(rule: str) -> Optional[str]:
    match = _TARGET.search(rule)
    return match.group(1) if match else None


def _plain(address: str) -> str:
    return _HOST_MASK.sub("", address)


def _addresses(text: str) -> Set[str]:
    return {_plain(address) for address in _ADDRESS.findall(text)}
