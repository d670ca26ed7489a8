# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, lengths and values as the report writes them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import StateValue
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import svg

# A longer text is cut, so one host cannot fill the page.
_MOST_TEXT = 400


class Moment(TypedDict):
    """A time: for machines, for people, and for narrow columns. All are "?" if the time is out of range."""

    iso: str
    text: str
    short: str


def moment(seconds: float) -> Moment:
    """Return a time, given in seconds since 1970, as the page writes it."""
    text = timestamp(seconds) or "?"
    try:
        day = datetime.fromtimestamp(seconds, timezone.utc)
        short = f"{svg.DAYS[day.weekday()]} {day.hour:02}:{day.minute:02}"
    except (OverflowError, OSError, ValueError):
        short = "?"
    return {"iso": text, "text": text.replace("T", " ")[:16] + " UTC" if len(text) > 1 else "?", "short": short}


def length(seconds: float) -> str:
    """Return a length of time."""
    return str(format_duration(max(0, seconds)))


def short(text: object) -> str:
    """Return a text that is cut if it is too long."""
    text = str(text)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "..."


def value(name: str, found: StateValue) -> str | None:
    """Return a value of a host's state, None for "not there"."""
    if found is None:
        return None
    if name.endswith("_bytes") and isinstance(found, (int, float)):
        return str(format_size(found))
    return short(found if isinstance(found, str) else json.dumps(found, sort_keys=True, ensure_ascii=False))
