# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the files of a worker's unit that others wrote, and the settings of a unit that another file decides."""

from __future__ import annotations

import glob
import os
import re
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_size

UNITS = "/etc/systemd/system"
LIMITS = "limits.conf"
# systemd reads drop-ins of all these folders in the order of their names; of two with one name, the first folder's.
FOLDERS = (
    UNITS,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# The role writes it into each of its files. Its first units have only the second text.
OURS = ("(lifeline.fleet.sidekiq_watchdog)", '> "$RUNTIME_DIRECTORY/sidekiq.pid"')

_LARGEST = 1 << 20
_SETTING = re.compile(r"\s*([A-Za-z]+)\s*=\s*(.*?)\s*\Z")
_SECTION = re.compile(r"\s*\[([A-Za-z]+)\]\s*\Z")
_SIZES = ("MemoryMax", "MemorySwapMax", "MemoryHigh")
# A line of another drop-in with one of these always replaces what the role wrote.
_ALWAYS = ("ExecStart", "ExecStop", "KillMode")
_COMMENT = "# lifeline.fleet.sidekiq_watchdog: "


class Setting(NamedTuple):
    """A setting in a file of a unit."""

    path: str
    line: int
    key: str
    value: str

    def told(self) -> str:
        """Return the place and the text of the setting."""
        return escape(f"{self.path}:{self.line} ({self.key}={self.value})")


def paths(name: str) -> List[str]:
    """Return the files that the role writes for a worker: its unit, its environment and its limits."""
    return [f"{UNITS}/{name}.service", f"/etc/default/{name}", f"{UNITS}/{name}.service.d/{LIMITS}"]


def foreign(name: str, root: str = "") -> List[str]:
    """Return those files of a worker that the role did not write. `root` is not / in tests only."""
    unit, environment, limits = paths(name)
    # The other files came with the unit, in the role's first releases without its name.
    if _is_ours(root + unit):
        return []
    return [path for path in (unit, environment, limits) if os.path.lexists(root + path) and not _is_ours(root + path)]


def _is_ours(path: str) -> bool:
    text = regular.read(path, _LARGEST) or ""
    return any(mark in text for mark in OURS)


def drop_ins(name: str, root: str = "") -> List[str]:
    """Return the drop-ins of a worker's unit that systemd reads after the role's, in its order."""
    found: Dict[str, str] = {}
    for folder in FOLDERS:
        for path in glob.glob(f"{root}{folder}/{glob.escape(name)}.service.d/*.conf"):
            found.setdefault(os.path.basename(path), path)
    return [found[base] for base in sorted(found) if base > LIMITS]


def settings(files: Iterable[str]) -> List[Setting]:
    """Return all settings of sections [Service] of files, in their order."""
    found = []
    for path in files:
        section = ""
        for number, line in enumerate((regular.read(os.path.realpath(path), _LARGEST) or "").splitlines(), 1):
            heading, setting = _SECTION.match(line), _SETTING.match(line)
            if heading:
                section = heading.group(1)
            elif setting and section == "Service":
                found.append(Setting(path, number, setting.group(1), setting.group(2)))
    return found


def overriding(found: Iterable[Setting], wanted: Mapping[str, str]) -> List[Setting]:
    """Return the settings that replace a wanted one by another value."""
    return [
        one
        for one in found
        if (one.key in wanted and not same(one.key, one.value, wanted[one.key])) or (one.key in _ALWAYS and one.value)
    ]


def without(text: str, lines: Iterable[int]) -> str:
    """Return a file's text with some lines made comments."""
    chosen = set(lines)
    return "".join(
        (_COMMENT if number in chosen else "") + line for number, line in enumerate(text.splitlines(keepends=True), 1)
    )


def same(key: str, value: str, other: str) -> bool:
    """Return whether two values of a setting mean the same."""
    return _normal(key, value) == _normal(key, other)


def _normal(key: str, value: str) -> object:
    value = value.strip()
    if key in _SIZES and value.lower() != "infinity":
        try:
            return parse_size(value + ("B" if value.isdecimal() else ""))
        except ValueError:
            return value
    if key.startswith("Limit"):
        return value.split(":")[0]
    return value.lower() if key != "User" else value


def differences(shown: Mapping[str, str], wanted: Mapping[str, str]) -> Dict[str, str]:
    """Return the properties that systemd has in force and that differ from the wanted ones, by their names."""
    return {key: shown[key] for key, value in wanted.items() if key in shown and not same(key, shown[key], value)}


def winner(key: str, files: Iterable[str]) -> Optional[Setting]:
    """Return the last setting of a key in the files of a unit, which are in systemd's order."""
    found = [one for one in settings(files) if one.key == key]
    return found[-1] if found else None
