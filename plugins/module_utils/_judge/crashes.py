# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count the crashes of workers: in the kernel's log, by systemd's restarts, and by the starts in a history."""

from __future__ import annotations

import re
from typing import Iterable, List, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.units import Unit

# Only the crashes of this many last seconds count.
WINDOW = 3600
# Texts in the kernel's lines about a crash, on x86, ARM, POWER and RISC-V.
ANCHORS = ("]: segfault", "traps: ", "] general protection", "]: unhandled ")

_LINE = re.compile(
    r"^(?:(?:<\d{1,3}>)?\[ *(\d{1,12}\.\d{1,6})\]|\d{1,5},\d{1,12},(\d{1,18}),[^;\n]*;) ?(?:\[ *[CT]\d{1,10}\] ?)?"
    r"(?:traps: )?((?:\\x[0-9a-f]{2}|[^\n\\]){1,15}?)\[(\d{1,10})\]:? "
    r"(?:segfault |general protection|trap |unhandled (?:signal|level|.{0,40}fault))([^\n]*)",
    re.MULTILINE,
)
_LIBRARY = re.compile(r" in (?:lib)?([^\s\[]{1,64})\[")
# A thread that Ruby names after its file and line.
_RUBY_THREAD = re.compile(r"\.rb:\d")
# A unit that runs for less than this has just been restarted.
_JUST = 120
# This many new starts in the window are more than a deployment.
_LEAST_STARTS = 3


class Crash(NamedTuple):
    """One line of the kernel about a crash; `age` is in seconds."""

    name: str
    pid: int
    library: str
    age: float


class Crashes(NamedTuple):
    """How often a worker has crashed in the window, and in words how that is known."""

    number: int
    message: str


def parse(sources: Sources, uptime: Optional[float]) -> List[Crash]:
    """Return the crashes of the window that the kernel's log has. `uptime` is that of the kernel, in seconds."""
    if uptime is None:
        return []
    found = []
    for name in ("dmesg", "kmsg"):
        for seconds, microseconds, comm, pid, rest in _LINE.findall(sources.get(name, "")):
            at = float(seconds) if seconds else int(microseconds) / 1e6
            library = _LIBRARY.search(rest)
            if 0 <= uptime - at + 1 <= WINDOW:
                found.append(Crash(escape(comm), int(pid), library.group(1) if library else "", uptime - at))
    return found


def count(
    name: str,
    programs: Iterable[str],
    crashes: Sequence[Crash],
    units: Sequence[Unit],
    uptime: Optional[float],
    starts: int,
) -> Optional[Crashes]:
    """Return how often a worker has crashed, None if nothing tells so.

    `programs` are the names of its processes, `units` its units, and `starts` how many new starts a history has seen in
    the window.
    """
    known = {program.lower() for program in (name, *programs) if len(program) > 2}
    own = [crash for crash in crashes if _is_of(crash, known)]
    found = []
    if own:
        last = min(own, key=lambda crash: crash.age)
        found.append(
            Crashes(
                len(own), f"{name} has crashed {_times(len(own))} in the last hour, last {last.name} (pid {last.pid})"
            )
        )
    for unit in units:
        age = None if unit.began is None or uptime is None else uptime - unit.began
        if unit.restarts and age is not None and age < WINDOW:
            # It counts from the last start by hand, so all of them are recent only if the unit restarts all the time.
            counted = unit.restarts if age < _JUST else 1
            found.append(
                Crashes(counted, f"systemd has restarted {unit.name} {_times(unit.restarts)}, last {_ago(age)}")
            )
    if starts >= _LEAST_STARTS:
        found.append(Crashes(starts, f"{name} was started anew {_times(starts)} in the last hour"))
    return max(found, key=lambda one: one.number, default=None)


def _is_of(crash: Crash, known: Iterable[str]) -> bool:
    """Return whether a crashed thread, or the library that it crashed in, is one of the programs."""
    names = (crash.name.lower(), crash.library.lower())
    if "ruby" in known and _RUBY_THREAD.search(crash.name):
        return True
    return any(one.startswith(program) for program in known for one in names)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _ago(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s ago" if seconds < 90 else f"{seconds / 60:.0f} min ago"
