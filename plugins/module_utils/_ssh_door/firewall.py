# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table that drops connections to the SSH ports from every address outside the allow-list."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from typing import Dict, Iterable, List, Optional, Sequence, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import change
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.change import DoorError
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.session import Session

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

TABLE = "inet lifeline"
# nft applies a file as one transaction, so there is never a moment without the table or with two of them.
REMOVAL = "table inet lifeline\ndelete table inet lifeline\n"
_EVERY_ADDRESS = {4: ("0.0.0.0/0", "ipv4"), 6: ("::/0", "ipv6")}


def networks(allowed: Iterable[str]) -> Dict[int, List[Network]]:
    """Return the networks of an allow-list by IP version, merged and sorted. Raises ValueError."""
    parsed = [ipaddress.ip_network(text) for text in allowed]
    v4 = [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in parsed if isinstance(network, ipaddress.IPv6Network)]
    return {4: list(ipaddress.collapse_addresses(v4)), 6: list(ipaddress.collapse_addresses(v6))}


def allows(allowed: Iterable[str], address: str) -> bool:
    """Return whether an allow-list contains an address, which may be IPv4 in the form ::ffff:192.0.2.7."""
    parsed = _plain(address)
    return any(parsed in network for network in networks(allowed)[parsed.version])


def _plain(address: str) -> Address:
    parsed = ipaddress.ip_address(address)
    return getattr(parsed, "ipv4_mapped", None) or parsed


def text(allowed: Sequence[str], ports: Iterable[int]) -> Optional[str]:
    """Return the table in nft's language, or None if the allow-list is empty and the ports stay open."""
    if not allowed:
        return None
    sets: List[str] = []
    rules: List[str] = []
    for version, prefix in ((4, "ip"), (6, "ip6")):
        members = networks(allowed)[version]
        everything, family = _EVERY_ADDRESS[version]
        if [str(member) for member in members] == [everything]:
            rules.append(f"meta nfproto {family} accept")
        elif members:
            sets += [
                f"    set allowed{version} {{",
                f"        type ipv{version}_addr",
                "        flags interval",
                f"        elements = {{ {', '.join(_element(member) for member in members)} }}",
                "    }",
            ]
            rules.append(f"{prefix} saddr @allowed{version} accept")
    # No connection tracking: it takes established connections for new ones if nothing tracked them before, keeps
    # connections of addresses that were removed from the list, and ends all connections when its table is full.
    return "\n".join(
        [
            "# Written by role lifeline.fleet.ssh_lifeline. Other tables may drop what this one accepts.",
            "table inet lifeline",
            "delete table inet lifeline",
            "table inet lifeline {",
            *sets,
            "    chain ssh {",
            "        type filter hook input priority -10; policy accept;",
            '        iifname "lo" accept',
            *("        " + rule for rule in rules),
            f"        tcp dport {{ {', '.join(str(port) for port in sorted(set(ports)))} }} counter drop",
            "    }",
            "}",
            "",
        ]
    )


def _element(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


class Firewall:
    """The table as it is and as it will be. After `plan`, `text` is the new table, or None if there will be none."""

    def __init__(self, commands: Commands, allowed: Sequence[str], session: Optional[Session]) -> None:
        self._commands, self._allowed, self._session = commands, allowed, session
        self.nft = commands.find("nft")
        self.kept = atomic.read_text(change.FIREWALL)
        self.text: Optional[str] = None
        try:
            networks(allowed)
        except ValueError as error:
            raise DoorError(f"allowed: {error}; give IPv4 and IPv6 addresses and networks") from error

    def plan(self, ports: Iterable[int], check_mode: bool = False) -> None:
        """Decide what the table must say. Raises DoorError if it would drop this connection, or if nft refuses it."""
        self.text = text(self._allowed, ports)
        if self._session is not None and self._allowed and not self._lets_in(self._session):
            raise DoorError(
                f"allowed: {self._session.address}, the address of this connection, is not in the list "
                f"({', '.join(self._allowed)}), so this connection would be the last; add it to ssh_lifeline_allowed"
            )
        if self.text is None and self.kept is None:
            return
        if self.nft is not None:
            self._validate()
        elif not check_mode:
            raise DoorError("allowed: nft is not installed on this host; install the package nftables")

    def _lets_in(self, session: Session) -> bool:
        # A proxy, a tunnel or an agent on the host itself connects over the interface lo, which is always accepted.
        local = _plain(session.address).is_loopback or _plain(session.address) == _plain(session.server_address)
        return local or allows(self._allowed, session.address)

    def _validate(self) -> None:
        if self.text is None:
            return
        descriptor, path = tempfile.mkstemp(prefix="firewall.", dir=self._commands.tmpdir)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(self.text)
            answer = self._commands.run(str(self.nft), "-c", "-f", path)
        finally:
            os.unlink(path)
        if answer[0]:
            raise DoorError(f"allowed: nft refuses the table: {words(answer).replace(path, change.FIREWALL)}")

    def listing(self) -> Optional[str]:
        """Return the loaded table as nft lists it, or None if there is none."""
        if self.nft is None:
            return None
        # In numbers: nft takes names from /etc/protocols, which a package may install at any time.
        code, out, _err = self._commands.run(self.nft, "-s", "-n", "list", "table", *TABLE.split())
        return None if code else out

    def changed(self, listing: Optional[str]) -> bool:
        """Return whether the loaded table or the file for the next boot differs from the plan."""
        if self.text != self.kept:
            return True
        return listing is not None if self.text is None else listing != atomic.read_text(change.LISTING)
