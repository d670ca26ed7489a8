# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse a log of lines of text into records; JSON is parsed by `shippers`."""

from __future__ import annotations

import re
from typing import Mapping

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import OCTAL, unescape
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.hosts import take_hosts_off
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.joining import Layout, joined
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import KMSG, Record, prefix
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock

# A longer line is no single message. It is cut, so no line costs much.
LONGEST_LINE = 1 << 16
_COLOUR = re.compile(
    r"(?:\x1b|\^\[|#033|\\x1b|\\033|\\e|\\u001b)\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)"
)
# The beginning of a second message in a line, as consoles that lose line breaks write it.
_SECOND = re.compile(
    r"\[\s{0,6}\d{1,9}\.\d{6}\] (?:Out of memory|Memory cgroup out|Kill(?:ed)? process|oom-kill:|oom_reaper:"
    r"|[^\n\[\]]{1,15} invoked oom-killer)"
)
# A record as `/dev/kmsg` or `dmesg -r` gives it.
_RAW = re.compile(
    r"\d{1,6},\d{1,20},\d{1,20},[^;\n]{0,120};"
    r"|<\d{1,3}>\[\s{0,12}\d{1,12}\.\d{1,9}\](?:\s?\[\s{0,8}[TC]\d{1,8}\s?\])? "
)
# Prefixes that terminals, mail, containers and grep put in front of every line of a log.
_WRAPPINGS = (
    re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "),
    re.compile(r"\[(?:pod|container)/[^\]\s]{1,160}\] "),
    re.compile(r"[\w.-]{1,80}\s{0,20}\| "),
    re.compile(r"(?:[ \t\xa0]{0,8}(?:>|\||&gt;) ?){1,8}|[ \t\xa0]{0,8}[*+] (?=\S|\s{4})|\xa0{1,8}|\t(?=\S|\s{4})"),
    re.compile(r"/[\w./-]{1,120}:(?:\d{1,9}:)?|\d{1,9}:(?=[^\d\s]|\s{4})"),
)


def _clean(line: str) -> str:
    """Return a line without colours and without the carriage return at its end."""
    line = line.rstrip("\r") if len(line) <= LONGEST_LINE else line[:LONGEST_LINE]
    if "[" in line and ("\x1b" in line or "^[[" in line or "#033[" in line or "\\" in line):
        return _COLOUR.sub("", line)
    return line


def unwrap(lines: list[str]) -> list[str]:
    """Return the lines without the prefixes that stand in front of nearly every one of them."""
    for wrapping in _WRAPPINGS:
        full = [line for line in lines[:2000] if line and line != "\r"]
        if sum(wrapping.match(line) is not None for line in full) * 10 > len(full) * 9:
            lines = [wrapping.sub("", line, count=1) for line in lines]
    return lines


def from_text(text: str, clock: Clock, stamps: Mapping[int, float | None] | None = None) -> list[Record]:
    """Return the records of text without JSON: one per line, except for lines that go on with the one before.

    `stamps` has the time at which a log shipper read a line, by the number of the line.
    """
    found: list[Record] = []
    lines = unwrap([_clean(line) for line in text.split("\n")])
    read = [prefix(line, clock) for line in lines]
    layout = Layout(lines, [record.prefixed for record, _position in read])
    for number, line in enumerate(lines):
        record, position = read[number]
        if line == "--" or not line:
            layout.before = ""
            continue
        if not record.prefixed and found:
            whole = joined(found[-1], line, layout)
            if whole is not None:
                found[-1].text = whole
                layout.before = line
                continue
        if line.startswith(" ") and re.match(r" [A-Z_]{3,20}=", line):
            # The fields that follow a record of /dev/kmsg.
            continue
        record.text = _body(line, position, record)
        raw = _RAW.match(line)
        record.exact = raw is not None and raw.end() == position
        if stamps and number in stamps and record.epoch is None:
            record.epoch = stamps[number]
        found.append(record)
        if "." in record.text and "[" in record.text and not record.exact:
            _split(found, clock)
        layout.before, layout.indent = line, position
    take_hosts_off(found)
    return found


def _body(line: str, position: int, record: Record) -> str:
    """Return the message that begins at a place of a line, with escapes decoded and without quotes around it."""
    body = line[position:]
    if record.uptime is not None and KMSG.match(line.lstrip(" >|")):
        body = unescape(body)
    if "#0" in body:
        body = OCTAL.sub(lambda match: chr(int(match.group(1), 8)), body)
    quoted = not record.prefixed and body[:1] in ('"', "'", "`")
    if quoted and (body.count(body[0]) == 1 or body.rstrip(" ,;")[-1:] == body[0]):
        return body[1:]
    return body


def _split(found: list[Record], clock: Clock) -> None:
    """Split the last record into one record per message, if it has several."""
    last = found[-1]
    starts = [match.start() for match in _SECOND.finditer(last.text, 1)]
    if not starts:
        return
    text = last.text
    last.text = text[: starts[0]]
    for start, end in zip(starts, [*starts[1:], len(text)]):
        part = text[start:end]
        record, position = prefix(part, clock)
        record.text = part[position:]
        record.program = record.program or last.program
        record.epoch = last.epoch if record.epoch is None else record.epoch
        found.append(record)
