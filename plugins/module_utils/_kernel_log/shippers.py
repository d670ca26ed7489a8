# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages out of JSON: the journal's, C(dmesg --json)'s, and what log shippers make of a line."""

from __future__ import annotations

import json
import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import BAD_ESCAPE
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import parse_time

_MESSAGE_KEYS = ("MESSAGE", "msg", "message", "log", "line", "text", "Message", "textPayload", "body")
TIME_KEYS = ("@timestamp", "timestamp", "time", "ts", "date")


def loads(text):
    try:
        return json.loads(BAD_ESCAPE.sub(r"\1\\\\x", text))
    except (ValueError, RecursionError):
        return None


def _message(value):
    """A journal's MESSAGE is text, or a list of bytes where it is no text."""
    if isinstance(value, list):
        try:
            return bytes(value).decode("utf-8", "backslashreplace")
        except (TypeError, ValueError):
            return next((_message(item) for item in value if isinstance(item, (str, list))), None)
    return value if isinstance(value, str) else None


def to_number(value):
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _shipped(entry, depth=0):
    """The text and the stamp that a log shipper put somewhere into its JSON."""
    for key in _MESSAGE_KEYS:
        value = entry.get(key)
        if isinstance(value, dict) and depth < 4:
            found = _shipped(value, depth + 1)
            if found:
                return found
        text = _message(value)
        if text:
            return text
    for value in entry.values():
        if isinstance(value, dict) and depth < 4:
            found = _shipped(value, depth + 1)
            if found:
                return found
    return None


def shipped_line(entry):
    """The one line that a log shipper wrapped in JSON, or None where the entry is anything else."""
    if not isinstance(entry, dict) or any(
        key in entry for key in ("MESSAGE", "_TRANSPORT", "__REALTIME_TIMESTAMP", "dmesg", "pri", "fac")
    ):
        return None
    if "msg" in entry and not isinstance(entry.get("time"), str):
        return None
    text = _shipped(entry)
    text = text.rstrip("\r\n") if text else ""
    return text if text and "\n" not in text else None


def from_json(entry, clock, from_text):
    """The records of one JSON object: a line of C(journalctl -o json), or what a log shipper made of a line."""
    if not isinstance(entry, dict):
        return []
    if isinstance(entry.get("dmesg"), list):
        return [record for item in entry["dmesg"] for record in from_json(item, clock, from_text)]
    journal = any(key in entry for key in ("MESSAGE", "_TRANSPORT", "__REALTIME_TIMESTAMP"))
    text = _message(entry.get("MESSAGE")) if journal else _shipped(entry)
    if not text:
        return []
    if journal:
        micros = to_number(entry.get("_SOURCE_MONOTONIC_TIMESTAMP"))
        real = to_number(entry.get("__REALTIME_TIMESTAMP"))
        program = None
        transport, identifier = entry.get("_TRANSPORT"), entry.get("SYSLOG_IDENTIFIER")
        if transport not in (None, "kernel") or (transport is None and identifier not in (None, "kernel")):
            program = str(identifier or entry.get("_COMM") or "?")
        facility = entry.get("SYSLOG_FACILITY")
        if facility not in (None, "0", 0) and program is None:
            program = str(identifier or "?")
        return [Record(text, None if micros is None else micros / 1e6, None if real is None else real / 1e6, program)]
    found = []
    uptime = to_number(entry.get("time")) if "msg" in entry and not isinstance(entry.get("time"), str) else None
    shipped_at = None
    if uptime is None:
        shipped_at = next((parse_time(entry[key], clock) for key in TIME_KEYS if isinstance(entry.get(key), str)), None)
        if isinstance(entry.get("time"), str) and re.match(r"\d{1,9}\.\d{1,9}$", entry["time"]):
            uptime, shipped_at = float(entry["time"]), None
    pri = to_number(entry.get("pri"))
    for number, record in enumerate(from_text(text, clock)):
        record.uptime = uptime if record.uptime is None else record.uptime
        record.epoch = shipped_at if record.epoch is None else record.epoch
        if pri is not None and pri >= 8 or entry.get("fac") not in (None, "kern"):
            record.program = record.program or "?"
        record.prefixed = record.prefixed or number == 0
        found.append(record)
    return found
