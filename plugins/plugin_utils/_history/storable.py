# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make values storable in SQLite, whatever a host has answered: nothing in a reading may end it."""

from __future__ import annotations

import math

# A longer text is cut: no name or message of a host may fill the history.
_MOST_TEXT = 4096


def number(value: object) -> float | None:
    """Return a number that SQLite can store, None if the value is not a number.

    SQLite has no integers beyond 64 bits, so these are rounded, and it stores NaN as NULL.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        return value if -1 << 63 <= value < 1 << 63 else _rounded(value)
    return None if math.isnan(value) else value


def integer(value: object) -> int | None:
    """Return an integer that SQLite can store, None if the value is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -1 << 63 <= value < 1 << 63 else None


def text(value: object) -> str:
    """Return a text that SQLite can store: lone surrogates, which UTF-8 cannot carry, are escaped."""
    found = value if isinstance(value, str) else str(value)
    return found[:_MOST_TEXT].encode("utf-8", "backslashreplace").decode()


def text_or_none(value: object) -> str | None:
    """Return a text that SQLite can store, None for None."""
    return None if value is None else text(value)


def _rounded(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
