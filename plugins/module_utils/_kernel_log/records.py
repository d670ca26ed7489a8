# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse a kernel log of any format into records.

A kernel message reaches us in dozens of formats: `dmesg` with five kinds of stamps, raw records of `/dev/kmsg`, the
lines of syslog daemons, ten formats of `journalctl`, a serial console, a log shipper's JSON, or any of them pasted into
a report with quoting marks in front. `records` removes all of these and returns what the kernel said, with what can be
known of the time, and of whether the kernel wrote it.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.blocks import items
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.lines import LONGEST_LINE, from_text, unwrap
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.order import in_order
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.shippers import (
    from_json,
    loads,
    shipped_at,
    shipped_line,
    to_number,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock, parse_time

# The members of a message of `dmesg --json`, one per line.
_MSG_LINE = re.compile(r'\s{0,40}"msg"\s?:\s?(".{0,4096}")\s{0,8},?\s{0,8}\}?')
_TIME_LINE = re.compile(r'\s{0,40}"time"\s?:\s{0,8}"?(\d{1,12}\.\d{1,9}|\d{4}-[^"]{10,40})"?')
_PRI_LINE = re.compile(r'\s{0,40}"pri"\s?:\s{0,8}(\d{1,6})')
_FACILITY_LINE = re.compile(r'\s{0,40}"fac(?:ility)?"\s?:\s{0,8}"?(\w{1,12})')
_NEXT = ("},{", "}, {")


def records(text: str, clock: Clock | None = None) -> list[Record]:
    """Return the records of a log, oldest first, whatever its format. No text makes it raise an exception."""
    clock = clock or Clock()
    found = _Parser(clock).parse(_lines(text))
    for record in found:
        if record.epoch is None:
            record.epoch = clock.from_uptime(record.uptime)
    return in_order(found)


def _lines(text: str) -> list[str]:
    r"""Return the lines of a log, also of one inside a string with its line breaks escaped as `\\n`."""
    lines = text.split("\n")
    if "MESSAGE" in text:
        # A line may close one object and open the next one.
        lines = [part for line in unwrap(lines) for part in (("}", "{") if line.strip() in _NEXT else (line,))]
    if "\\n" not in text:
        return lines
    return [
        part
        for line in lines
        for part in (line.split("\\n") if line.count("\\n") > 2 and not line.rstrip().endswith("}") else (line,))
    ]


class _Parser:
    """Tell lines of JSON from lines of text, and collect the records of both in their order."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.found: list[Record] = []
        self.plain: list[str] = []
        self.stamps: dict[int, float | None] = {}
        self._forget()

    def _forget(self) -> None:
        """Forget the members of the object of `dmesg --json` that were read last."""
        self.uptime: float | None = None
        self.epoch: float | None = None
        self.program: str | None = None

    def parse(self, lines: list[str]) -> list[Record]:
        """Return the records of lines."""
        for item in items(lines) if any("MESSAGE" in line for line in lines) else lines:
            if not isinstance(item, str):
                self._flush()
                self.found.extend(from_json(item, self.clock, from_text))
                continue
            line = item
            json_like = '"' in line and len(line) < LONGEST_LINE
            if not (json_like and (self._dmesg_member(line) or self._object(line))):
                self.plain.append(line)
        self._flush()
        return self.found

    def _flush(self) -> None:
        """Parse the lines of text that were collected."""
        if self.plain:
            self.found.extend(from_text("\n".join(self.plain), self.clock, self.stamps))
            self.plain, self.stamps = [], {}

    def _dmesg_member(self, line: str) -> bool:
        """Take a line that is one member of an object of `dmesg --json`, and return whether it is one."""
        match = _MSG_LINE.match(line)
        if match:
            message = loads(match.group(1))
            if isinstance(message, str):
                self._flush()
                self.found.append(Record(message, self.uptime, self.epoch, self.program))
                self._forget()
                return True
        match = _TIME_LINE.match(line)
        if match:
            self.uptime = to_number(match.group(1))
            self.epoch = parse_time(match.group(1), self.clock) if self.uptime is None else None
            return True
        match = _PRI_LINE.match(line)
        if match:
            self.program = "?" if int(match.group(1)) >> 3 else None
            return True
        match = _FACILITY_LINE.match(line)
        if match:
            self.program = None if match.group(1) in ("kern", "0") else match.group(1)
        return match is not None

    def _object(self, line: str) -> bool:
        """Take a line that is or ends with a JSON object with a message, and return whether it is one."""
        stripped = line.rstrip("\r ,")
        start = line.find('{"')
        if start < 0:
            start = line.find('{ "')
        if start < 0 or not stripped.endswith("}"):
            return False
        entry = loads(stripped[start:])
        shipped = shipped_line(entry)
        if shipped is not None:
            self.stamps[len(self.plain)] = shipped_at(entry, self.clock)
            self.plain.append(shipped)
            return True
        entries = from_json(entry, self.clock, from_text)
        if entries:
            self._flush()
            self.found.extend(entries)
        return bool(entries)
