# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the records of a log into the order in which things happened."""

from __future__ import annotations

import re
from typing import Callable

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

_KILLED = re.compile(r"illed process (\d{1,10})")
_SELECTED = re.compile(r"ill process (\d{1,10})")
_SUMMARY = re.compile(r",pid=(\d{1,10}),uid=\d")
_REAPED = re.compile(r"reaped process (\d{1,10})")
_TABLE_HEAD = re.compile(r"\[\s{1,4}pid\s{1,4}\]")
_TABLE_ROW = re.compile(r"\[\s{0,9}\d{1,10}\]\s{1,9}\d{1,10}\s{1,9}\d{1,10}\s")


def in_order(found: list[Record]) -> list[Record]:
    """Return records oldest first. Logs are also printed newest first, as by `journalctl -r`."""
    key, turned = _direction_of_stamps(found)
    forwards = _direction_of_messages(found)
    if key is None:
        return found[::-1] if forwards < 0 else found
    if not turned:
        return found
    if forwards <= 0:
        return found[::-1]
    # The newest kill comes first, but the messages of each are in their order.
    return [record for moment in reversed(_moments(found, key)) for record in moment]


def _moments(found: list[Record], key: Callable[[Record], float | None]) -> list[list[Record]]:
    """Return the records that follow each other with the same stamp as one list; some have no stamp."""
    moments: list[list[Record]] = []
    last: float | None = None
    for record in found:
        stamp = key(record)
        if not moments or stamp not in (None, last):
            moments.append([])
            last = stamp
        moments[-1].append(record)
    return moments


def _uptime(record: Record) -> float | None:
    return record.uptime


def _epoch(record: Record) -> float | None:
    return record.epoch


def _direction_of_stamps(found: list[Record]) -> tuple[Callable[[Record], float | None] | None, bool]:
    """Return the stamp that tells the order, or None, and whether the newest record comes first."""
    for key in (_uptime, _epoch):
        stamps = [stamp for stamp in map(key, found) if stamp is not None]
        later = sum(one < other for one, other in zip(stamps, stamps[1:]))
        earlier = sum(one > other for one, other in zip(stamps, stamps[1:]))
        if later != earlier:
            return key, earlier > later
    return None, False


def _direction_of_messages(found: list[Record]) -> int:
    """Return how much more often messages follow each other in the kernel's order than in the reverse order.

    Only pairs that must belong together count: messages about the same process, and the table of processes below its
    head. A header and a kill do not: a log may begin with a kill and end with the next header.
    """
    balance = adjacent = 0
    last: tuple[int, str] | None = None
    for record in found:
        stage = _stage(record.text) if record.program is None else None
        if stage is None:
            continue
        if last is not None and last[1] == stage[1]:
            balance += (stage[0] > last[0]) - (stage[0] < last[0])
        elif last is not None and "table" not in (last[1], stage[1]):
            adjacent += (stage[0] > last[0]) - (stage[0] < last[0])
        last = stage
    # A child may be killed in place of the process that was chosen: then only the order of the two messages is left.
    return balance or adjacent


def _stage(text: str) -> tuple[int, str] | None:
    """Return the stage of a kill that a message is of, and what the kill is known by."""
    if "ill" in text or "oom" in text:
        for stage, pattern in enumerate((_SUMMARY, _SELECTED, _KILLED, _REAPED)):
            match = pattern.search(text)
            if match:
                return stage, match.group(1)
        if "oom-kill:constraint" in text:
            return 0, ""
    if "[" in text:
        if _TABLE_HEAD.match(text):
            return 0, "table"
        if _TABLE_ROW.match(text):
            return 1, "table"
    return None
