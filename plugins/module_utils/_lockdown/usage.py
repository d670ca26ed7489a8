# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find who uses a queue, a cache or a database that would be stopped: connected processes, and applications."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import app_config
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import connections
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.connections import Connection
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import Unit, matches, runs

# They look at a service and don't depend on it.
_ONLOOKERS = (
    "redis-cli",
    "valkey-cli",
    "redis_exporter",
    "memcached_exporter",
    "telegraf",
    "collectd",
    "netdata",
    "monit",
    "zabbix",
)
_LONGEST_COMMAND = 80
_MOST_CLIENTS = 3

_PATTERNS = [pattern for patterns in app_config.SERVICES.values() for pattern in patterns]


class Process:
    """A process: its unit in the host's systemd, and its command line, safe to print."""

    def __init__(self, unit: Optional[str], command: str) -> None:
        self.unit, self.command = unit, command


def holds_data(unit: Unit) -> bool:
    """Return whether a unit is a queue, a cache or a database."""
    return any(matches(name, _PATTERNS) for name in (unit["Id"], *unit["Names"]))


def users(units: Mapping[str, Unit], folders: Sequence[str]) -> Dict[str, str]:
    """Return the users of each unit, and how they are known. Units that hold no data are left out.

    `folders` are those of applications.
    """
    holding = {unit_id: unit for unit_id, unit in units.items() if holds_data(unit)}
    if not holding:
        return {}
    found = of_applications(holding, app_config.local_services(folders))
    if any(runs(unit) for unit in holding.values()):
        sources, links = connections.read()
        found.update(of_connections(holding, units, connections.parse(sources, links), _processes(links)))
    return found


def of_applications(holding: Mapping[str, Unit], services: Mapping[str, str]) -> Dict[str, str]:
    """Return the units that applications need. `services` are their names, with the place that says so."""
    found = {}
    for unit_id, unit in holding.items():
        for service, place in services.items():
            if any(matches(name, app_config.SERVICES[service]) for name in (unit_id, *unit["Names"])):
                found[unit_id] = f"the application ({escape(place)})"
    return found


def of_connections(
    holding: Mapping[str, Unit],
    stopped: Iterable[str],
    connected: Iterable[Connection],
    processes: Mapping[int, Process],
) -> Dict[str, str]:
    """Return the units with clients that are connected and are not stopped themselves."""
    clients: Dict[str, List[str]] = {}
    leaving = {*holding, *stopped}
    for connection in connected:
        server, client = processes.get(connection.server), processes.get(connection.client or 0)
        if server is None or server.unit is None or server.unit not in holding:
            continue
        if client is None:
            text = f"a client at {escape(connection.place)}"
        elif client.unit in leaving or client.command.rpartition("/")[2].startswith(_ONLOOKERS):
            continue
        else:
            unit = f", {client.unit}" if client.unit else ""
            text = f"{client.command} (pid {connection.client}{unit})"
        if text not in clients.setdefault(server.unit, []):
            clients[server.unit].append(text)
    return {unit: _listed(texts) for unit, texts in clients.items()}


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_CLIENTS
    return ", ".join(texts[:_MOST_CLIENTS]) + (f" and {more} more" if more > 0 else "")


def _processes(pids: Iterable[int]) -> Dict[int, Process]:
    pids = list(pids)
    sources = _reader.read_files(cgroup_units.SOURCES)
    _reader.read_files(_reader.process_paths(("cgroup",), pids), sources)
    _reader.read_files(_reader.process_paths(("cmdline",), pids), sources, limit=4 * _LONGEST_COMMAND)
    found = {}
    for pid in pids:
        words = sources.get(f"/proc/{pid}/cmdline", "").replace("\0", " ").split()
        command = escape(" ".join(words))[:_LONGEST_COMMAND] or f"process {pid}"
        found[pid] = Process(cgroup_units.system_unit(sources, pid), command)
    return found
