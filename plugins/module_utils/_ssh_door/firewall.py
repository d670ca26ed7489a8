# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables table that closes the SSH ports to everybody who is not on the list."""

from __future__ import annotations

import ipaddress

TABLE = "inet lifeline"
# One file that nft applies as a whole: no moment is without a table, and none has two.
REMOVAL = "table inet lifeline\ndelete table inet lifeline\n"
_EVERYBODY = {4: ("0.0.0.0/0", "ipv4"), 6: ("::/0", "ipv6")}


def networks(allowed):
    """The list, each family's without repetition and in one order."""
    parsed = [ipaddress.ip_network(text) for text in allowed]
    return {
        version: list(ipaddress.collapse_addresses([network for network in parsed if network.version == version]))
        for version in (4, 6)
    }


def allows(allowed, address):
    """Whether the list holds an address. sshd on a socket for both families may write IPv4 in the manner of IPv6."""
    address = ipaddress.ip_address(address)
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks(allowed)[address.version])


def text(allowed, ports):
    """The table in nft's language, or None where the list is empty and the ports stay open."""
    if not allowed:
        return None
    sets, rules = [], []
    for version, prefix in ((4, "ip"), (6, "ip6")):
        members = networks(allowed)[version]
        everybody, family = _EVERYBODY[version]
        if [str(member) for member in members] == [everybody]:
            rules.append(f"meta nfproto {family} accept")
        elif members:
            sets += [
                "    set allowed%d {" % version,
                f"        type ipv{version}_addr",
                "        flags interval",
                "        elements = { %s }" % ", ".join(_element(member) for member in members),
                "    }",
            ]
            rules.append(f"{prefix} saddr @allowed{version} accept")
    # No word of connection tracking: it would take an established connection for a new one where nothing tracked it so far, let
    # strangers stay who are in already, and end everybody's connections when its table is full.
    return "\n".join(
        [
            "# Written by role lifeline.fleet.ssh_lifeline. Other tables are none of its business: what it accepts they may still drop.",
            "table inet lifeline",
            "delete table inet lifeline",
            "table inet lifeline {",
            *sets,
            "    chain ssh {",
            "        type filter hook input priority -10; policy accept;",
            '        iifname "lo" accept',
            *("        " + rule for rule in rules),
            "        tcp dport { %s } counter drop" % ", ".join(str(port) for port in sorted(set(ports))),
            "    }",
            "}",
            "",
        ]
    )


def _element(network):
    return str(network.network_address) if network.num_addresses == 1 else str(network)
