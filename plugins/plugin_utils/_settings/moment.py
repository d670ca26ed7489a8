# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time in the past, as an operator writes it."""

from __future__ import annotations

import re
from datetime import datetime

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_duration

_AGO = re.compile(
    r"(?:(\d+(?:\.\d+)?)|an?)\s*(s|m|h|d|w|sec(?:ond)?s?|min(?:ute)?s?|hours?|days?|weeks?)(?:\s+ago)?", re.IGNORECASE
)


def parse_moment(value: object, now: float) -> float:
    """Return the seconds since 1970 of a text such as `2 days ago`, `24h` or a time in RFC 3339.

    A time without an offset is this machine's local time. Raises ValueError with a sentence that names the value.
    """
    text = " ".join(str(value).split())
    ago = _AGO.fullmatch(text)
    if ago:
        moment: float = now - parse_duration((ago.group(1) or "1") + ago.group(2)[0].lower())
    else:
        try:
            moment = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            raise ValueError(
                f"not a time ({value!r}); give how long ago, such as 24h or 2 days ago, or a time such as"
                " 2026-10-03T22:19:59Z"
            ) from None
    if moment > now:
        raise ValueError(f"in the future ({value!r}); give a time in the past")
    return moment
