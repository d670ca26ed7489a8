# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the evidence of a host into the facts for its rescue plan and into the files of the archive."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import MappedGroup, Process
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape, escape_or_none
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import maps, processes
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import DELETED
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import parse_show

# Below this amount of memory, less is read, because an OOM kill in the meantime could hit a worker.
LEAN_BYTES = 32 << 20

_SERVICE = ".service"
# All names that systemd gives a service.
_SERVICE_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.service")
_SPACE = re.compile(r"^(\d{1,15})\s+(/\S+)$", re.MULTILINE)
_WATCHED = re.compile(r"^ *(\S+) .*\bProcess *$", re.MULTILINE)
_OPEN_FILE = re.compile(r"0 (\d{1,18}) (\d{1,9}) (\d{1,12}:\d{1,20}) /proc/(\d{1,10})/fd/\d{1,10} (/.*)")


class ServiceProcess(TypedDict):
    """A process that belongs to a service."""

    unit: str
    name: str
    rss_bytes: int | None


class Service(TypedDict):
    """A service as systemd describes it."""

    loaded: bool
    active: str | None
    can_reload: bool
    restart: str | None
    main_pid: int | None


class DeletedFile(TypedDict):
    """A file that is deleted and open, with the first process that holds it."""

    path: str
    bytes: int
    pid: int
    unit: str | None


class Evidence(TypedDict):
    """The facts that a rescue plan needs. Process IDs are texts, because they are keys in JSON."""

    processes: dict[str, ServiceProcess]
    services: dict[str, Service]
    # The worker that a unit is, by the unit's name.
    workers: dict[str, str]
    # The command lines of the workers' processes.
    titles: dict[str, str]
    deleted: list[DeletedFile]
    # The names of monit's checks.
    watched: list[str]
    # Bytes in some folders, by path.
    space: dict[str, int]


def read(
    sources: Mapping[str, str],
    named: Mapping[str, str],
    workers: Collection[WorkerReading] = (),
    with_pidfile: Collection[str] = (),
) -> Evidence:
    """Return what a plan needs to know of a host.

    `workers` are those that health found. `with_pidfile` names those whose pids come from a file of their own user's.
    """
    table = processes.parse_table(sources)
    cgroups = {**sources, **_prefixed(named.get("cgroups", ""))}
    units = {pid: cgroup_units.system_unit(cgroups, pid) for pid in table}
    services = _services(named.get("units", ""))
    found: dict[str, ServiceProcess] = {}
    for pid, unit in units.items():
        if unit and unit.endswith(_SERVICE):
            found[str(pid)] = {"unit": unit, "name": table[pid]["name"], "rss_bytes": table[pid]["rss_bytes"]}
    return {
        "processes": found,
        "services": services,
        "deleted": _deleted(named.get("deleted", ""), units),
        "watched": [escape(name) for name in _WATCHED.findall(named.get("monit", ""))],
        "space": {escape(path): int(kilobytes) * 1024 for kilobytes, path in _SPACE.findall(named.get("space", ""))},
        "workers": _workers(workers, units, services, with_pidfile),
        "titles": {
            str(pid): table[pid]["command_line"] or "" for worker in workers for pid in worker["pids"] if pid in table
        },
    }


def members(sources: Mapping[str, str], named: Mapping[str, str], about: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of the archive by relative path. `about` says what the archive is."""
    adjustments = _prefixed(named.get("adjustments", ""))
    files = {
        "about.json": json.dumps(about, indent=2, sort_keys=True) + "\n",
        "processes.txt": _table(processes.parse_table({**sources, **adjustments})),
    }
    # As in a recorded host, a source that is not a file is in the top folder.
    for name, text in {**named, **sources}.items():
        files[_member(name)] = text
    for name, text in named.items():
        found = re.fullmatch(r"proc/(\d+)/smaps", name)
        if found and text:
            files[f"memory-map/{found.group(1)}.txt"] = _map(maps.parse(text))
    return files


def _prefixed(text: str) -> dict[str, str]:
    """Return the texts of files of which `grep` printed the lines, each behind the file's path."""
    texts: dict[str, list[str]] = {}
    for line in text.splitlines():
        path, colon, rest = line.partition(":")
        if colon:
            texts.setdefault(path, []).append(rest + "\n")
    return {path: "".join(lines) for path, lines in texts.items()}


def _member(name: str) -> str:
    """Return a path below the archive's own folder, whatever a file on the host is called."""
    return escape("/".join(part for part in name.split("/") if part not in ("", ".", "..")))


def _workers(
    workers: Iterable[WorkerReading],
    units: Mapping[int, str | None],
    services: Mapping[str, Service],
    with_pidfile: Collection[str],
) -> dict[str, str]:
    """Return the worker that each unit is.

    A unit is a worker's own if it has the worker's name, or if the main process that systemd started in it is the
    worker. A process says what it likes in its command line, and may run inside a service that isn't its own, such as
    cron; a pidfile names any process at all.
    """
    found: dict[str, str] = {}
    for worker in workers:
        named = worker["name"] + _SERVICE
        own = {units.get(pid) for pid in worker["pids"]}
        if worker["name"] in with_pidfile:
            own &= {named}
        for unit in own:
            if unit and unit.endswith(_SERVICE):
                main = services[unit]["main_pid"] if unit in services else None
                if unit == named or (main is not None and main in worker["pids"]):
                    found[unit] = worker["name"]
        if not worker["pids"] and named in services and services[named]["loaded"]:
            found[named] = worker["name"]
    return found


def _services(text: str) -> dict[str, Service]:
    """Return what `systemctl show` said of services, by name."""
    services: dict[str, Service] = {}
    for values in parse_show(text):
        if _SERVICE_NAME.fullmatch(values.get("Id", "")):
            main = values.get("MainPID", "")
            services[values["Id"]] = {
                "loaded": values.get("LoadState") == "loaded",
                "active": escape_or_none(values.get("ActiveState")),
                "can_reload": values.get("CanReload") == "yes",
                "restart": escape_or_none(values.get("Restart")),
                "main_pid": int(main) if main.isdecimal() and len(main) < 11 and int(main) else None,
            }
    return services


def _deleted(text: str, units: Mapping[int, str | None]) -> list[DeletedFile]:
    """Return each deleted file once, the largest first."""
    files: dict[str, DeletedFile] = {}
    for line in text.splitlines():
        found = _OPEN_FILE.fullmatch(line)
        if not found or not line.endswith(DELETED):
            continue
        blocks, block, identity, pid, path = found.groups()
        size = int(blocks) * int(block)
        if size:
            files.setdefault(
                identity,
                {
                    "path": escape(path[: -len(DELETED)]),
                    "bytes": size,
                    "pid": int(pid),
                    "unit": units.get(int(pid)),
                },
            )
    return sorted(files.values(), key=lambda entry: -entry["bytes"])


def _table(table: Mapping[int, Process]) -> str:
    """Return the processes as a table, those with the most memory first."""
    lines = [f"{'PID':>7} {'PPID':>7} {'STATE':>5} {'RSS':>8} {'ADJ':>6} {'AGE':>9}  COMMAND"]
    for process in sorted(table.values(), key=lambda one: (-(one["rss_bytes"] or 0), one["pid"])):
        age = "?" if process["age_seconds"] is None else f"{process['age_seconds']:.0f}"
        command = shlex.quote(process["command_line"]) if process["command_line"] else f"[{process['name']}]"
        lines.append(
            f"{process['pid']:7d} {process['ppid']:7d} {process['state']:>5} "
            f"{format_size(process['rss_bytes'] or 0):>8} {process['oom_score_adj']!s:>6} {age:>9}  {command}"
        )
    return "\n".join(lines) + "\n"


def _map(groups: Iterable[MappedGroup]) -> str:
    """Return the memory map of a process as a table."""
    lines = [f"{'RSS':>8} {'PSS':>8} {'SWAP':>8} {'MAPS':>8}  WHAT"]
    for group in groups:
        sizes = (format_size(size) for size in (group["rss_bytes"], group["pss_bytes"], group["swap_bytes"]))
        lines.append(" ".join(f"{size:>8}" for size in sizes) + f" {group['mappings']:8d}  {group['name']}")
    return "\n".join(lines) + "\n"
