# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read messages from JSON: the journal's, that of `dmesg --json`, and that of log shippers."""

from __future__ import annotations

import json
import math
import re
from typing import Callable, List

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import BAD_ESCAPE
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock, parse_time

FromText = Callable[[str, Clock], List[Record]]

_MESSAGE_KEYS = ("MESSAGE", "msg", "message", "log", "line", "text", "Message", "textPayload", "body")
_TIME_KEYS = ("@timestamp", "timestamp", "time", "ts", "date")
JOURNAL_KEYS = ("MESSAGE", "_TRANSPORT", "__REALTIME_TIMESTAMP")
_DEEPEST = 4


def loads(text: str) -> object:
    r"""Return the value of a JSON text, also with escapes such as `\\xff` that JSON does not have, or None."""
    try:
        return json.loads(BAD_ESCAPE.sub(r"\1\\\\x", text))
    except (ValueError, RecursionError):
        return None


def to_number(value: object) -> float | None:
    """Return a finite number, or None if the value is none."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _message(value: object) -> str | None:
    """Return a message's text. The journal writes a list of bytes for one that is no UTF-8."""
    if isinstance(value, list):
        try:
            return bytes(value).decode("utf-8", "backslashreplace")
        except (TypeError, ValueError):
            return next((_message(item) for item in value if isinstance(item, (str, list))), None)
    return value if isinstance(value, str) else None


def _shipped(entry: dict[str, object], depth: int = 0) -> str | None:
    """Return the line that a log shipper put somewhere into its JSON."""
    for key in _MESSAGE_KEYS:
        value = entry.get(key)
        found = _shipped(value, depth + 1) if isinstance(value, dict) and depth < _DEEPEST else _message(value)
        if found:
            return found
    for value in entry.values():
        if isinstance(value, dict) and depth < _DEEPEST:
            found = _shipped(value, depth + 1)
            if found:
                return found
    return None


def shipped_at(entry: object, clock: Clock) -> float | None:
    """Return the time at which a log shipper read a line, in seconds since 1970."""
    if isinstance(entry, dict):
        for key in _TIME_KEYS:
            if isinstance(entry.get(key), str):
                return parse_time(entry[key], clock)
    return None


def shipped_line(entry: object) -> str | None:
    """Return the line that a log shipper wrapped in JSON, or None if the object is anything else."""
    if not isinstance(entry, dict) or any(key in entry for key in (*JOURNAL_KEYS, "dmesg", "pri", "fac")):
        return None
    if "msg" in entry and not isinstance(entry.get("time"), str):
        return None
    text = (_shipped(entry) or "").rstrip("\r\n")
    return text if text and "\n" not in text else None


def from_json(entry: object, clock: Clock, from_text: FromText) -> list[Record]:
    """Return the records of one JSON object: of `journalctl -o json`, of `dmesg --json`, or of a log shipper."""
    if not isinstance(entry, dict):
        return []
    if isinstance(entry.get("dmesg"), list):
        return [record for item in entry["dmesg"] for record in from_json(item, clock, from_text)]
    if any(key in entry for key in JOURNAL_KEYS):
        return _from_journal(entry)
    return _from_shipper(entry, clock, from_text)


def _from_journal(entry: dict[str, object]) -> list[Record]:
    text = _message(entry.get("MESSAGE"))
    if not text:
        return []
    micros = to_number(entry.get("_SOURCE_MONOTONIC_TIMESTAMP"))
    real = to_number(entry.get("__REALTIME_TIMESTAMP"))
    return [
        Record(
            text,
            None if micros is None else micros / 1e6,
            None if real is None else real / 1e6,
            _journal_program(entry),
        )
    ]


def _journal_program(entry: dict[str, object]) -> str | None:
    """Return the program that wrote a message of the journal, or None if the kernel wrote it."""
    transport, identifier = entry.get("_TRANSPORT"), entry.get("SYSLOG_IDENTIFIER")
    if transport not in (None, "kernel") or (transport is None and identifier not in (None, "kernel")):
        return str(identifier or entry.get("_COMM") or "?")
    if entry.get("SYSLOG_FACILITY") not in (None, "0", 0):
        return str(identifier or "?")
    return None


def _from_shipper(entry: dict[str, object], clock: Clock, from_text: FromText) -> list[Record]:
    text = _shipped(entry)
    if not text:
        return []
    uptime = epoch = None
    time = entry.get("time")
    if isinstance(time, str) and re.match(r"\d{1,9}\.\d{1,9}$", time):
        uptime = float(time)
    elif "msg" in entry and not isinstance(time, str):
        uptime = to_number(time)
    if uptime is None:
        epoch = shipped_at(entry, clock)
    pri = to_number(entry.get("pri"))
    by_program = pri is not None and pri >= 8 or entry.get("fac") not in (None, "kern")
    found = from_text(text, clock)
    for number, record in enumerate(found):
        record.uptime = uptime if record.uptime is None else record.uptime
        record.epoch = epoch if record.epoch is None else record.epoch
        if by_program:
            record.program = record.program or "?"
        record.prefixed = record.prefixed or number == 0
    return found
