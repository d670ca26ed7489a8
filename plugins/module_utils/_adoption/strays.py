# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find Sidekiq processes of an application that run outside the watchdog's unit, and what started them."""

from __future__ import annotations

import os
import pwd
import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._lockdown import protection
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd.units import matches

# A process that handles Sidekiq's signals. A shell above it does not.
_SIDEKIQ = re.compile(r"^(sidekiq \d|(\S*/)?(ruby|bundle|jruby)\S* (.* )?(\S*/)?sidekiq( |$))")
_READ = 4096
# The names of programs that start a service again when it ends; their working directory is the service's.
SUPERVISORS = {"supervise": "daemontools", "runsv": "runit", "s6-supervise": "s6"}
# Other programs that may have started a worker, by the beginning of their names.
_TERMINALS = {
    "tmux": "tmux",
    "screen": "screen",
    "SCREEN": "screen",
    "supervisord": "supervisord",
    "god": "god",
    "monit": "monit",
    "cron": "cron",
    "sshd": "an SSH session",
}
# Their processes belong to their unit, which must not be stopped for the sake of one.
_HOLDERS = (
    "cron*",
    "at*",
    "supervisor*",
    "docker*",
    "containerd*",
    "podman*",
    "daemontools*",
    "svscan*",
    "runit*",
    "s6*",
)
_USER_MANAGER = re.compile(r"user@([0-9]+)\.service/(?:\S*/)?([^/\s]+\.service)(?:/|\s|\Z)")
# Nothing else can come between the folders of Capistrano.
_CURRENT = "/current"


class Stray(NamedTuple):
    """A worker outside the unit: its process, and how it was started.

    `kind` is one of unit, user unit, the values of SUPERVISORS, or another program's name; `place` is the unit or the
    folder of the service, or empty.
    """

    pid: int
    started: int
    uid: int
    folder: str
    kind: str
    place: str

    def told(self) -> str:
        """Return a sentence's part that names the process and how it was started."""
        by = f"started by {self.kind}" + (f" in {self.place}" if self.place else "")
        if self.kind in ("unit", "user unit"):
            by = f"of the {self.kind} {self.place}"
        return escape(f"pid {self.pid} of user {user(self.uid)} in {self.folder}, {by}")


def user(uid: int) -> str:
    """Return a user's name, or the ID without one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def sources() -> Sources:
    """Read the files of all processes that `find` needs."""
    names = ("stat", "cmdline", "cgroup", "environ")
    found: Sources = _reader.read_files(
        [*_reader.process_paths(names, _reader.list_pids()), "/proc/1/cgroup"], limit=_READ
    )
    return found


def links() -> Dict[int, str]:
    """Return the working directories of processes by their IDs, without those in another tree of files."""
    found = {}
    root = os.stat("/")
    for pid in _reader.list_pids():
        try:
            there = os.stat(f"/proc/{pid}/root")
            if (there.st_dev, there.st_ino) == (root.st_dev, root.st_ino):
                found[pid] = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
    return found


def find(
    found: Sources,
    folders: Mapping[int, str],
    applications: Iterable[str],
    own_units: Iterable[str],
    own: Iterable[int],
) -> List[Stray]:
    """Return the workers of the applications outside `own_units`. `own` are processes that belong to other workers.

    `found` is what `sources` read, `folders` what `links` did.
    """
    stats = {}
    for pid in folders:
        parsed = stat.parse(found.get(f"/proc/{pid}/stat"))
        if parsed:
            stats[pid] = parsed
    units, others = set(own_units), set(own)
    trees = [tree for path in applications for tree in _trees(path)]
    workers = {
        pid
        for pid in stats
        if _SIDEKIQ.search(_command(found, pid))
        and any(_is_below(place, trees) for place in _places(found, folders, pid))
    }
    strays = []
    for pid in sorted(workers):
        above = _ancestors(stats, pid)
        unit = cgroup_units.system_unit(found, pid)
        # A worker's children are part of it.
        if unit in units or {pid, *above} & others or workers & set(above):
            continue
        kind, place = _starter(found, folders, stats, above, pid, unit)
        strays.append(
            Stray(pid, stats[pid].start_ticks, _uid(pid), folders[pid].replace(" (deleted)", ""), kind, place)
        )
    return strays


def _starter(
    found: Sources,
    folders: Mapping[int, str],
    stats: Mapping[int, stat.Stat],
    above: Sequence[int],
    pid: int,
    unit: Optional[str],
) -> Tuple[str, str]:
    """Return the kind and the place of what started a process, as in `Stray`."""
    for parent in above:
        if stats[parent].name in SUPERVISORS and _may_supervise(parent, folders.get(parent, "")):
            return SUPERVISORS[stats[parent].name], folders.get(parent, "")
    inner = _USER_MANAGER.search(found.get(f"/proc/{pid}/cgroup", ""))
    if inner:
        return "user unit", inner.group(2)
    if unit and unit.endswith(".service") and not matches(unit, _HOLDERS) and not protection.protection([unit], (), ()):
        return "unit", unit
    for parent in above:
        for name, kind in _TERMINALS.items():
            if stats[parent].name.startswith(name):
                return kind, ""
    return "an unknown program", ""


def _may_supervise(pid: int, folder: str) -> bool:
    """Return whether a process can be the supervisor of a folder: any user can name a process like one."""
    try:
        return _uid(pid) in (0, os.stat(folder).st_uid)
    except OSError:
        return False


def of_unit(one: Stray, main: int, command: str) -> Stray:
    """Return a worker of a unit as one of the unit only if the unit's main process, with its command line, is Sidekiq.

    Any program of a service can call itself Sidekiq, and the service must not be stopped for that.
    """
    if main == one.pid or re.search(r"(^|[/\s])sidekiq(\s|$)", command):
        return one
    return one._replace(kind=f"a program of {one.place}", place="")


def _trees(path: str) -> Sequence[str]:
    """Return the folders that an application's processes may be in: with Capistrano, also those of earlier releases."""
    path = os.path.normpath(path)
    found = [path, os.path.realpath(path)]
    if path.endswith(_CURRENT):
        base = os.path.dirname(path)
        found += [base + "/releases", os.path.realpath(base) + "/releases"]
    return found


def _is_below(place: str, trees: Iterable[str]) -> bool:
    return any(place == tree or place.startswith(tree + "/") for tree in trees)


def _places(found: Sources, folders: Mapping[int, str], pid: int) -> List[str]:
    """Return where a process works: its working directory, and that of the Gemfile that it was started with."""
    gemfile = re.search(r"(?:\A|\0)BUNDLE_GEMFILE=([^\0]+)/[^/\0]+", found.get(f"/proc/{pid}/environ", ""))
    return [folders[pid].replace(" (deleted)", ""), *([gemfile.group(1)] if gemfile else [])]


def _command(found: Sources, pid: int) -> str:
    return found.get(f"/proc/{pid}/cmdline", "").replace("\0", " ").strip()


def _ancestors(stats: Mapping[int, stat.Stat], pid: int) -> List[int]:
    above: List[int] = []
    parent = stats[pid].ppid
    while parent in stats and parent > 1 and parent not in above:
        above.append(parent)
        parent = stats[parent].ppid
    return above


def _uid(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return 0


def started(pid: int) -> Optional[int]:
    """Return when a process was started, in ticks since boot, or None if there is none."""
    parsed = stat.parse(_reader.read_or_none(f"/proc/{pid}/stat", _READ))
    return None if parsed is None or parsed.state in ("Z", "X") else parsed.start_ticks
