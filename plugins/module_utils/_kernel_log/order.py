# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the records of a log into the order in which things happened."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record


def in_order(found: list[Record]) -> list[Record]:
    """Return records oldest first. Logs are also printed newest first, as by `journalctl -r`."""
    later = earlier = 0
    for stamp in ("uptime", "epoch"):
        last: float | None = None
        for record in found:
            value = getattr(record, stamp)
            if value is not None:
                if last is not None and value != last:
                    later, earlier = later + (value > last), earlier + (value < last)
                last = value
        if later != earlier:
            break
    else:
        later, earlier = _order_of_messages(found)
    return found[::-1] if earlier > later else found


def _kind(text: str) -> str | None:
    """Return which message of a kill a text is."""
    if "oom-kill:constraint" in text:
        return "summary"
    if "illed process " in text:
        return "killed"
    if "ill process " in text:
        return "selected"
    return "invoked" if "invoked oom-killer" in text else None


def _order_of_messages(found: list[Record]) -> tuple[int, int]:
    """Return how often the messages of a kill stand in their order, and how often in the reverse order."""
    forwards = backwards = 0
    last: str | None = None
    last_pid: str | None = None
    for record in found:
        text = record.text
        kind = _kind(text)
        if kind is None:
            continue
        match = re.search(r",pid=(\d{1,10}),uid=|ill(?:ed)? process (\d{1,10})", text)
        pid = (match.group(1) or match.group(2)) if match else None
        if kind == "killed" and last in ("summary", "selected", "invoked"):
            forwards += 2 if pid == last_pid else 1
        elif last == "killed" and kind in ("summary", "selected", "invoked"):
            backwards += 2 if pid == last_pid else 1
        last, last_pid = kind, pid
    return forwards, backwards
