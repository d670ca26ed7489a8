# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what files of others say to monit: their checks, and the statement that decides how often monit polls."""

from __future__ import annotations

import glob
import os
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

INCLUDE = re.compile(r"^\s*include\s+[\"']?([^\s\"']+)", re.IGNORECASE | re.MULTILINE)
_CHECK = re.compile(r"^\s*check\s+([a-z]+)\s+[\"']?([^\s\"']+)", re.IGNORECASE)
_PROCESS = re.compile(r"\b(pidfile|matching)\s+[\"']?([^\s\"']+)", re.IGNORECASE)
_DAEMON = re.compile(r"^\s*set\s+daemon\s+(\d+)", re.IGNORECASE)
_NEXT = re.compile(r"^\s*(?:check|set|include)\s", re.IGNORECASE)
# dpkg keeps the checksum of a file that a package has brought and its user may change.
_CONFFILE = re.compile(r"^ (\S+) ([0-9a-f]{32})", re.MULTILINE)


class Check(NamedTuple):
    """A check of a file: its line, its kind, its name, and what identifies its process."""

    path: str
    line: int
    kind: str
    name: str
    process: Optional[Tuple[str, str]]


def included(control: str, but: str) -> List[str]:
    """Return the files that a control file includes, without those of the folder `but`."""
    found = []
    for pattern in INCLUDE.findall(control):
        # monit reads no file whose name ends like that of an editor's copy.
        found += [path for path in sorted(glob.glob(pattern)) if not path.endswith("~") and os.path.isfile(path)]
    return [path for path in dict.fromkeys(found) if os.path.dirname(path) != but]


def checks(path: str, text: str) -> List[Check]:
    """Return the checks of a file."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        match = _CHECK.match(line)
        if match is None:
            continue
        process = None
        for further in _block(lines, number):
            named = _PROCESS.search(further.partition("#")[0])
            if named and match.group(1).lower() == "process":
                process = (named.group(1).lower(), named.group(2))
                break
        found.append(Check(path, number + 1, match.group(1).lower(), match.group(2), process))
    return found


def without(text: str, names: Sequence[str]) -> str:
    """Return a file's text without the checks of these names; empty if nothing but comments would be left."""
    lines = text.splitlines()
    left: List[str] = []
    number = 0
    while number < len(lines):
        match = _CHECK.match(lines[number])
        if match and match.group(2) in names:
            number += len(_block(lines, number))
            continue
        left.append(lines[number])
        number += 1
    has_statement = any(line.strip() and not line.lstrip().startswith("#") for line in left)
    return "\n".join(left) + "\n" if has_statement else ""


def doubled(ours: Mapping[str, str], control: str, but: str) -> Dict[str, Check]:
    """Return the checks of others that have a name of ours or watch the same process, by the name of ours.

    `ours` are the texts of our checks by name.
    """
    others = [check for path in included(control, but) for check in checks(path, atomic.read_text(path) or "")]
    found: Dict[str, Check] = {}
    for name, text in ours.items():
        (own,) = checks("", text)[:1] or (Check("", 0, "", name, None),)
        for other in others:
            if other.name == name or own.process is not None and own.process == other.process:
                found.setdefault(name, other)
    return found


def poll_place(control_file: str, control: str) -> Optional[str]:
    """Return `path:line` of the last statement that says how often monit polls, in the order in which monit reads."""
    place = None
    for number, line in enumerate(control.splitlines(), 1):
        if _DAEMON.match(line):
            place = f"{control_file}:{number}"
        for pattern in INCLUDE.findall(line):
            for path in sorted(glob.glob(pattern)):
                for further, text in enumerate((atomic.read_text(path) or "").splitlines(), 1):
                    place = f"{path}:{further}" if _DAEMON.match(text) else place
    return place


def conffile_checksum(listing: str, path: str) -> Optional[str]:
    """Return the checksum of a file as its package brought it, from `dpkg-query -W -f '${Conffiles}'`."""
    return dict(_CONFFILE.findall(listing)).get(path)


def _block(lines: Sequence[str], start: int) -> List[str]:
    """Return the lines of a statement: all up to the next one."""
    end = start + 1
    while end < len(lines) and not _NEXT.match(lines[end]):
        end += 1
    return list(lines[start:end])
