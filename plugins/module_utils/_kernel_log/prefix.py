# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front of a message of the kernel: stamps, priorities, hosts and tags, in any order that logs have them in."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import (
    DATE,
    ISO,
    date_epoch,
    fraction,
    iso_epoch,
)

LONGEST_PREFIX = 240


class Record:
    """One message of a log.

    V(text) is the message without its prefix, over several lines where the message is. V(uptime) is in seconds since
    boot and V(epoch)
    in seconds since 1970, None where the log does not tell. V(program) names the program that wrote the message,
    where the log
    shows that the kernel did not. V(caller) is the task or processor that the kernel names with CONFIG_PRINTK_CALLER.
    V(prefixed) says whether anything was recognised in front of the message, V(junk) is what stood there besides.
    """

    __slots__ = ("text", "uptime", "epoch", "program", "caller", "prefixed", "junk", "tagless")

    def __init__(self, text, uptime=None, epoch=None, program=None, caller=None, prefixed=True, junk=""):
        self.text = text
        self.uptime = uptime
        self.epoch = epoch
        self.program = program
        self.caller = caller
        self.prefixed = prefixed
        self.junk = junk
        self.tagless = False


_UNIX = re.compile(r"(?P<unix>\d{10})\.(?P<fraction>\d{3,9})(?=\s)")
_UPTIME = re.compile(r"\[\s{0,12}(?P<uptime>\d{1,12}\.\d{1,9})(?:\s{1,12}<[\s\d.+-]{1,24}>)?\s?\](?P<colon>:)?")
_DELTA = re.compile(
    r"\[(?:\s{0,12}\+?\s{0,12}\d{1,9}\.\d{1,9}|<[\s\d.+-]{1,24}>|[^\W\d_]{3,5}\s{0,2}\d{1,2} \d\d:\d\d)\s?\]"
)
_CALLER = re.compile(r"\[\s{0,8}(?P<caller>[TC]\d{1,8})\s?\]")
_LEVEL = re.compile(r"<(?P<pri>\d{1,3})>(?:1 (?=\d{4}-))?")
KMSG = re.compile(r"(?P<pri>\d{1,6}),(?P<sequence>\d{1,20}),(?P<micros>\d{1,20}),(?P<flags>[^;\n]{0,120});")
_FACILITIES = r"kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local\d|clock"
_LEVELS = r"emerg|alert|crit|err|error|warn|warning|notice|info|debug"
_PRIORITY = r"(?:(?P<facility>%s)\.(?:%s)\s{1,3})?" % (_FACILITIES, _LEVELS)
_DECODED = re.compile(r"(?P<facility>%s)\s{0,8}:\s{0,8}(?:%s)\s{0,8}:\s?" % (_FACILITIES, _LEVELS))
_NO_PRIORITY = rf"(?!(?:{_FACILITIES})\.(?:{_LEVELS})\s)"
_KERNEL_TAG = re.compile(
    r"(?:"
    + _NO_PRIORITY
    + r"(?P<host>[^\s\[\]{}\"]{1,80})\s{1,3})?"
    + _PRIORITY
    + r"(?:(?P<tag>kernel|klogd|vmunix)(?:\[(?P<pid>\d{1,10})\])?:|kernel - \S{1,20} (?:-|\[[^\]]{0,120}\]))(?:\s|$)"
)
_OTHER_TAG = re.compile(
    r"(?:"
    + _NO_PRIORITY
    + r"(?P<host>[^\s\[\]{}\"]{1,80})\s{1,3})?"
    + _PRIORITY
    + r"(?P<tag>[^\s\[\]:{}\"]{1,64}|\([^\s)]{1,40}\))(?:\[(?P<pid>\d{1,10})\])?:(?=\s)"
)
_HOST = re.compile(r"[^\s\[\]{}\"]{1,80}\s{1,3}(?=\[\s{0,12}\d{1,12}\.\d{1,9}\])")
_QUOTING = re.compile(r"(?:[>|]|&gt;|(?:stdout|stderr) [FP]\s|[*+-]\s|#\s|`{1,3}|\[(?:pod|container)/[^\]\s]{1,160}\])")
_JUMP = re.compile(
    r"\bkernel(?:\[\d{1,10}\])?:\s|\[\s{0,12}\d{1,12}\.\d{3,9}(?:\s{1,12}<[\s\d.+-]{1,24}>)?\]"
    r"|\[[^\[\]]{1,32}\d\d:\d\d:\d\d[^\[\]]{0,16}\]"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|[A-Z][a-z]{2}\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d"
    r"|(?<!\d)\d{1,3},\d{1,20},\d{1,20},[^;\s]{1,60};"
)
_USER_TAG = re.compile(r"[A-Za-z0-9_)@.-]\[\d{1,10}\]:\s")


def prefix(line, clock):
    """What stands in front of the message: a record without its text, and where the text begins."""
    record = Record("", prefixed=False)
    position = _strip(line, 0, record, clock)
    if not record.prefixed:
        jump = _JUMP.search(line, position, LONGEST_PREFIX)
        if jump:
            junk = line[: jump.start()]
            end = _strip(line, jump.start(), record, clock)
            if record.prefixed:
                record.junk, position = junk, end
                # What a program says about the kernel is not what the kernel says.
                decoded = _DECODED.search(junk)
                if record.program is None and (
                    record.uptime is None
                    and _USER_TAG.search(junk + " ")
                    or decoded
                    and decoded.group("facility") != "kern"
                ):
                    record.program = "?"
    return record, position


def _bracketed_time(line, position, record, clock):
    """The stamp of C(dmesg -T), and of consoles that write the time in brackets."""
    if line[position : position + 1] != "[":
        return None
    end = line.find("]", position, position + 64)
    inner = line[position + 1 : end] if end > 0 else ""
    if inner.count(":") < 2 or "[" in inner:
        return None
    for pattern, convert in ((ISO, iso_epoch), (DATE, date_epoch)):
        match = pattern.match(inner.strip())
        if match:
            record.epoch = convert(match, clock)
            return end + (2 if line[end + 1 : end + 2] == ":" else 1)
    return end + 1 if re.search(r"\d\d:\d\d:\d\d", inner) else None


def _strip(line, position, record, clock):
    """Advance V(position) over every piece of prefix that is known, and note in V(record) what each tells."""
    wall, walls = False, 0
    for _piece in range(16):
        start = position
        while line[position : position + 1] in (" ", "\t", "\xa0") and not record.prefixed:
            position += 1
        character = line[position : position + 1]
        if character == "[":
            match = _UPTIME.match(line, position)
            if match:
                if record.uptime is None:
                    record.uptime = float(match.group("uptime"))
                position = match.end()
                match = _CALLER.match(line, position) or _CALLER.match(line, position + 1)
                if match:
                    record.caller, position = match.group("caller"), match.end()
                position += line[position : position + 1] == " "
                record.prefixed = True
                # journalctl -o short-monotonic puts host and tag behind the stamp.
                match = _KERNEL_TAG.match(line, position)
                if match and match.group("tag"):
                    if match.group("pid"):
                        record.program = record.program or f"kernel[{match.group('pid')}]"
                    position = match.end()
                return position
            end = _bracketed_time(line, position, record, clock)
            match = None if end else _DELTA.match(line, position) or _CALLER.match(line, position)
            if match:
                end = match.end()
                record.caller = match.groupdict().get("caller") or record.caller
            if end:
                position = end + (line[end : end + 1] == " ")
                record.prefixed = True
                # dmesg -e and -d may go on with a second bracket.
                match = _DELTA.match(line, position)
                if match:
                    return match.end() + (line[match.end() : match.end() + 1] == " ")
                match = _CALLER.match(line, position)
                if match:
                    record.caller, position = match.group("caller"), match.end()
                    position += line[position : position + 1] == " "
                if _UPTIME.match(line, position) or _KERNEL_TAG.match(line, position):
                    continue
                return position
        elif character == "<":
            match = _LEVEL.match(line, position)
            if match:
                if int(match.group("pri")) >> 3:
                    record.program = record.program or "?"
                position = match.end()
                record.prefixed = True
                continue
        if character.isdigit():
            match = KMSG.match(line, position)
            if match:
                if int(match.group("pri")) >> 3:
                    record.program = record.program or "?"
                record.uptime = int(match.group("micros")) / 1e6
                caller = re.search(r"caller=([TC]\d+)", match.group("flags"))
                record.caller = caller.group(1) if caller else None
                record.prefixed = True
                return match.end()
            match = _UNIX.match(line, position)
            if match:
                record.epoch = int(match.group("unix")) + fraction(match.group("fraction"))
        if character.isalnum() and walls < 2:
            if not (character.isdigit() and match):
                for pattern, convert in ((ISO, iso_epoch), (DATE, date_epoch)):
                    match = pattern.match(line, position)
                    if match and (pattern is DATE or match.group("zone2") is None or match.group("weekday")):
                        record.epoch = clock.understood(match, convert)
                        break
                    if match:
                        # Without a weekday in front, a word in capitals is the host's name and no zone.
                        record.epoch = convert(ISO.match(line[position : match.start("zone2")].rstrip()), clock)
                        match = ISO.match(line[: match.start("zone2")].rstrip(), position)
                        break
            if match:
                wall = record.prefixed = True
                walls += 1
                position = match.end()
                position += line[position : position + 1] == ":"
                while line[position : position + 1] == " ":
                    position += 1
                if walls < 2 and (DATE.match(line, position) or ISO.match(line, position)):
                    continue
        if wall or not record.prefixed or line.startswith("kernel:", position):
            match = _KERNEL_TAG.match(line, position)
            if match and (match.group("host") is None or wall):
                if match.group("pid") or match.group("facility") not in (None, "kern"):
                    record.program = record.program or "kernel[%s]" % (match.group("pid") or "")
                record.prefixed = True
                position = match.end()
                if (
                    not _UPTIME.match(line, position)
                    and not _CALLER.match(line, position)
                    and not _bracket_follows(line, position)
                ):
                    return position
                continue
        if wall:
            match = _HOST.match(line, position)
            if match:
                position = match.end()
                continue
            match = _OTHER_TAG.match(line, position)
            if match:
                if match.group("pid") or match.group("tag") not in _KERNEL_WORDS:
                    record.program = record.program or match.group("tag")
                return position
            if _UPTIME.match(line, position):
                continue
            record.tagless = True
        match = _DECODED.match(line, position)
        if match:
            if match.group("facility") != "kern":
                record.program = record.program or match.group("facility")
            record.prefixed = True
            position = match.end()
            continue
        if not record.prefixed:
            match = _QUOTING.match(line, position)
            if match:
                position = match.end()
                continue
        if position == start or record.prefixed:
            return position
    return position


# What may stand in a syslog line where a program's tag would, when the tag was taken out of the log.
_KERNEL_WORDS = frozenset(
    ("CPU", "Mem-Info", "memory", "memory+swap", "kmem", "swap", "RIP", "RSP", "Code", "Node", "Pid")
)


def _bracket_follows(line, position):
    return line[position : position + 1] == "[" and bool(_DELTA.match(line, position))
