# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find where sshd listens, to watch it there."""

from __future__ import annotations

import ipaddress
from typing import Dict, List, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import sshd, sshd_config
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import units

# Placeholders in a check for the address and the port of the host's sshd.
ADDRESS, PORT = "@SSHD_ADDRESS@", "@SSHD_PORT@"
# The units that start sshd for a connection, by distribution.
SOCKETS = ("ssh.socket", "sshd.socket")


def place(commands: Commands) -> Tuple[str, List[int]]:
    """Return an address of the host that sshd answers at, and its ports there."""
    listed = _of_sockets(commands) or _of_configuration(commands)
    ports: Dict[str, List[int]] = {}
    for text in listed:
        address, _colon, port = text.rpartition(":")
        if port.isdecimal():
            ports.setdefault(_reachable(address), []).append(int(port))
    if not ports:
        return "127.0.0.1", [22]
    # The loopback, if sshd listens at every address.
    address = next((one for one in ("127.0.0.1", "::1") if one in ports), next(iter(ports)))
    return address, sorted(set(ports[address]))


def expand(text: str, address: str, ports: Sequence[int]) -> str:
    """Return the text of a check with the address, and each line about the port once for every port."""
    lines = []
    for line in text.replace(ADDRESS, address).splitlines():
        lines += [line.replace(PORT, str(port)) for port in ports] if PORT in line else [line]
    return "\n".join(lines) + "\n"


def _of_sockets(commands: Commands) -> List[str]:
    systemctl = commands.find("systemctl")
    if systemctl is None:
        return []
    out = commands.run(systemctl, "show", "-p", "ActiveState", "-p", "Listen", *SOCKETS)[1]
    active = [unit for unit in units.parse_show(out) if unit.get("ActiveState") == "active"]
    return [address for unit in active for address in units.stream_addresses(unit)]


def _of_configuration(commands: Commands) -> List[str]:
    program = commands.find("sshd")
    if program is None:
        return []
    sshd.make_privilege_separation_folder()
    answer = commands.run(program, "-T")
    return [] if answer[0] else sshd_config.effective(answer[1]).get("listenaddress", [])


def _reachable(address: str) -> str:
    """Return the address to connect to for one that sshd listens at."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return "127.0.0.1"
    if not parsed.is_unspecified:
        return str(parsed)
    # A socket for every address of IPv6 accepts IPv4 as well.
    return "127.0.0.1"
