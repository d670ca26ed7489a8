# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse and format sizes, durations, shares and times.

A unit of size is a power of 1024, spelt as `free`, `df -h` and monit spell it: 13 GB, 13G and 13 GiB are the same
13 * 2**30 bytes.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional

_SIZE = re.compile(r"^\s*(\d{1,18}(?:\.\d{1,18})?)\s*(?:([kmgtp]?)(?:i?b)?|bytes?)\s*$", re.IGNORECASE)
_PERCENT = re.compile(r"^\s*(\d{1,18}(?:\.\d{1,18})?)\s*(?:%|percent)\s*$", re.IGNORECASE)
_DURATION = re.compile(r"^\s*(\d{1,18}(?:\.\d{1,18})?)\s*(|s|m|h|d|w)\s*$", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_size(value: object, whole: Optional[int] = None) -> int:
    """Return a size in bytes. A percentage is taken of `whole`, and refused without it.

    Raises ValueError with a sentence that names the value and what would be right.
    """
    text = str(value)
    share = _PERCENT.match(text)
    if share and whole is not None:
        return int(whole * float(share.group(1)) / 100)
    size = _SIZE.match(text)
    if size is None or isinstance(value, bool):
        allowed = "a size such as 512 MB, 13 GB or 1.5G" + ("" if whole is None else ", or a percentage such as 80%")
        raise ValueError(f"not a size ({value!r}); write {allowed}")
    return int(float(size.group(1)) * _FACTORS[(size.group(2) or "").lower()])


def is_percentage(value: object) -> bool:
    """Return whether a size is written as a percentage."""
    return _PERCENT.match(str(value)) is not None


def parse_duration(value: object) -> float:
    """Return seconds. Raises ValueError with a sentence that names the value and what would be right."""
    duration = _DURATION.match(str(value))
    if duration is None or isinstance(value, bool):
        raise ValueError(
            f"not a duration ({value!r}); write seconds, or a number with s, m, h, d or w, such as 90 or 24h"
        )
    return float(duration.group(1)) * _SECONDS[duration.group(2).lower()]


def format_size(count: float) -> str:
    """Format bytes for people, in at most five characters: 824M, 1.9G, 15G."""
    size, units = float(count), "BKMGTP"
    while abs(size) >= 1023.5 and len(units) > 1:
        size, units = size / 1024, units[1:]
    unit = units[0]
    return f"{size:.1f}{unit}" if unit not in "BKM" and abs(size) < 9.95 else f"{size:.0f}{unit}"


def format_duration(seconds: float) -> str:
    """Format a length of time for people: 40 s, 12 min, 3.5 h, 24 h, 2.1 d."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 129600:
        return f"{_tenths(seconds / 3600)} h"
    return f"{_tenths(seconds / 86400)} d"


def _tenths(value: float) -> str:
    return f"{value:.1f}".replace(".0", "")


def percent(part: Optional[float], whole: Optional[float]) -> Optional[float]:
    """Return the share in percent, with two decimals; None if either number is unknown or the whole is 0."""
    if part is None or not whole:
        return None
    return round(100.0 * part / whole, 2)


def timestamp(epoch: Optional[float]) -> Optional[str]:
    """Format seconds since 1970 as RFC 3339 in UTC; None if they are unknown or beyond the calendar."""
    if epoch is None:
        return None
    try:
        return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return None
