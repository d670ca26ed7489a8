# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide by /etc/os-release whether the roles support a host's system."""

from __future__ import annotations

import shlex
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

# The oldest release of each distribution, and the family whose variables the roles load.
_OLDEST = {"debian": (11,), "ubuntu": (22, 4)}
_FAMILY = "Debian"
SUPPORTED = "Debian 11 to 14 (tested), Ubuntu 22.04 and later, and other systems that are made of them (not tested)"


class System(TypedDict):
    """A host's system: its family, as in the names of files of variables, its name and its version."""

    family: str
    name: str
    version: str


def supported(text: str) -> System:
    """Return the system that a file os-release describes. Raises SettingsError if the roles do not support it."""
    values = _values(text)
    name, version = values.get("ID", "linux"), values.get("VERSION_ID", "")
    shown = escape(values.get("PRETTY_NAME") or f"{name} {version}".strip())
    if name not in _OLDEST and not set(values.get("ID_LIKE", "").split()) & set(_OLDEST):
        raise SettingsError(f"this system is not supported ({shown}); use {SUPPORTED}. Nothing was touched")
    # Debian's next release has no number before it is released.
    if name in _OLDEST and version and _numbers(version) < _OLDEST[name]:
        raise SettingsError(f"this release is too old ({shown}); use {SUPPORTED}. Nothing was touched")
    return {"family": _FAMILY, "name": escape(name), "version": escape(version)}


def _values(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            try:
                values[key.strip()] = " ".join(shlex.split(value))
            except ValueError:
                continue  # a quote that is not closed
    return values


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
