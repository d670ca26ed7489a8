# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the boot time and the uptime of a host."""

from __future__ import annotations

import re
from typing import Mapping, Optional

SOURCES = ("/proc/stat", "/proc/uptime")

_BOOT = re.compile(r"^btime ([0-9]{1,15})$", re.MULTILINE)
_UPTIME = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(?:\s|\Z)")


def boot_time(sources: Mapping[str, str]) -> Optional[int]:
    """Return when the host was booted, in seconds since 1970 by its own clock; None if /proc/stat does not say."""
    found = _BOOT.search(sources.get("/proc/stat", ""))
    return int(found.group(1)) if found else None


def uptime(sources: Mapping[str, str]) -> Optional[float]:
    """Return the seconds since the boot; None if /proc/uptime does not say."""
    found = _UPTIME.match(sources.get("/proc/uptime", ""))
    return float(found.group(1)) if found else None


def read_at(sources: Mapping[str, str]) -> Optional[float]:
    """Return when the sources were read, in seconds since 1970 by the host's clock; None if that is unknown."""
    booted, running = boot_time(sources), uptime(sources)
    return None if booted is None or running is None else booted + running
