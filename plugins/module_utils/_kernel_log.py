# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel messages out of a log of any shape.

The same message reaches a reader in dozens of dresses: C(dmesg) with five kinds of stamps, raw C(/dev/kmsg) records,
what
syslog daemons write, ten formats of C(journalctl), a serial console, a log shipper's JSON, or any of them pasted into a
report with quoting marks in front. B(records) takes all of these off and gives what the kernel said, with what can be
known of when it said so, and whether it was the kernel at all.
"""

from __future__ import annotations

import json
import re
from calendar import timegm

# A message is at most about 1 KiB; whatever is longer is no single message, and is cut so that no line costs much.
LONGEST_LINE = 1 << 16
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


class Clock:
    """What a reader knows of time, so that stamps which tell only a part of it can be understood.

    V(now) and V(boot_time) are seconds since 1970 or None. V(utc_offset) is the seconds that the box's local time is
    ahead of UTC, or a
    function that gives them for a local time in seconds. Only the running kernel's own messages may be given a
    V(boot_time).
    """

    def __init__(self, now=None, boot_time=None, utc_offset=0):
        self.now = now
        self.boot_time = boot_time
        self.utc_offset = utc_offset
        self._understood = {}

    def understood(self, match, convert):
        """What V(convert) makes of a stamp; neighbouring lines mostly have the same."""
        stamp = match.group()
        if stamp not in self._understood:
            if len(self._understood) > 4096:
                self._understood.clear()
            self._understood[stamp] = convert(match, self)
        return self._understood[stamp]

    def from_local(self, seconds):
        offset = self.utc_offset(seconds) if callable(self.utc_offset) else self.utc_offset
        return seconds - (offset or 0)

    def from_uptime(self, uptime):
        return None if self.boot_time is None or uptime is None else self.boot_time + uptime


# --- stamps -----------------------------------------------------------------------------------------------------------

_MONTHS = {}
for _number, _names in enumerate(
    (
        "jan ene gen янв sty led tam oca gener",
        "feb fév fev фев lut úno helmi şub",
        "mar mär mrt maa мар bře",
        "apr avr abr апр kwi dub huh nis",
        "may mai mag mei maj мая май kvě tou",
        "jun jui giu июн cze čer kes haz juin",
        "jul jui lug июл lip hei tem juil červenec",
        "aug aoû aou ago авг sie srp elo ağu",
        "sep set сен wrz zář syy eyl",
        "oct okt ott out окт paź říj lok eki",
        "nov ноя lis lis marras kas",
        "dec dez déc dic des дек gru pro jou ara",
    ),
    1,
):
    for _name in _names.split():
        _MONTHS.setdefault(_name, _number)
# Names that only more than three letters tell apart.
_LONG_MONTHS = {
    "juin": 6,
    "juil": 7,
    "juillet": 7,
    "list": 11,
    "listopad": 11,
    "červenec": 7,
    "marras": 11,
    "marraskuu": 11,
}

_ZONES = {
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "JST": 9,
    "KST": 9,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AEST": 10,
    "AEDT": 11,
}

_ISO = re.compile(
    r"(?:(?P<weekday>[^\W\d_]{2,9}\.?,?)\s)?(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)[T ]"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?"
    r"(?:\s?(?P<zone>Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b)|\s(?P<zone2>[A-Z]{3,5})(?=\s))?"
)
_DATE = re.compile(
    r"(?:[^\W\d_]{1,9}\.?,?\s{1,3})?"
    r"(?:(?P<name>[^\W\d_]{3,10}\.?|\d{1,2}\s?[月월])\s{1,3}(?P<day>\d{1,2})[日일]?"
    r"|(?P<day2>\d{1,2})\.?\s{1,3}(?P<name2>[^\W\d_]{3,10}\.?)),?"
    r"\s{1,3}(?:(?P<year>(?:19"
    r"|20)\d\d)\s{1,3})?(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<fraction>[.,]\d{1,9})?"
    r"(?:\s(?P<half>[AP]M)\b)?(?:\s(?P<zone>[A-Z]{3,5}|[+-]\d\d)(?=\s\d{4}\b))?(?:\s(?P<year2>(?:19|20)\d\d)\b)?"
)
_UNIX = re.compile(r"(?P<unix>\d{10})\.(?P<fraction>\d{3,9})(?=\s)")
_UPTIME = re.compile(r"\[\s{0,12}(?P<uptime>\d{1,12}\.\d{1,9})(?:\s{1,12}<[\s\d.+-]{1,24}>)?\s?\](?P<colon>:)?")
_DELTA = re.compile(
    r"\[(?:\s{0,12}\+?\s{0,12}\d{1,9}\.\d{1,9}|<[\s\d.+-]{1,24}>|[^\W\d_]{3,5}\s{0,2}\d{1,2} \d\d:\d\d)\s?\]"
)
_CALLER = re.compile(r"\[\s{0,8}(?P<caller>[TC]\d{1,8})\s?\]")
_LEVEL = re.compile(r"<(?P<pri>\d{1,3})>(?:1 (?=\d{4}-))?")
_KMSG = re.compile(r"(?P<pri>\d{1,6}),(?P<sequence>\d{1,20}),(?P<micros>\d{1,20}),(?P<flags>[^;\n]{0,120});")
_FACILITIES = r"kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local\d|clock"
_LEVELS = r"emerg|alert|crit|err|error|warn|warning|notice|info|debug"
_PRIORITY = r"(?:(?P<facility>%s)\.(?:%s)\s{1,3})?" % (_FACILITIES, _LEVELS)
_DECODED = re.compile(r"(?P<facility>%s)\s{0,8}:\s{0,8}(?:%s)\s{0,8}:\s?" % (_FACILITIES, _LEVELS))
_NO_PRIORITY = r"(?!(?:%s)\.(?:%s)\s)" % (_FACILITIES, _LEVELS)
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
_COLOUR = re.compile(
    r"(?:\x1b|\^\[|#033|\\x1b|\\033|\\e|\\u001b)\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)"
)


def _month(name):
    digits = re.match(r"\d+", name)
    if digits:
        return int(digits.group())
    name = name.rstrip(".").lower()
    return _LONG_MONTHS.get(name) or _LONG_MONTHS.get(name[:4]) or _MONTHS.get(name[:3])


def _epoch(year, month, day, hour, minute, second):
    if not (year >= 1900 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    return timegm((year, month, day, hour, minute, second, 0, 0, 0))


def _fraction(text):
    return float("0." + text.lstrip(".,")) if text else 0.0


def _zoned(seconds, zone, clock):
    if zone is None:
        return clock.from_local(seconds)
    if zone in _ZONES:
        return seconds - 3600 * _ZONES[zone]
    digits = zone[1:].replace(":", "")
    if zone[0] in "+-" and digits.isdigit():
        offset = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60
        return seconds - (offset if zone[0] == "+" else -offset)
    return clock.from_local(seconds)


def _iso_epoch(match, clock):
    seconds = _epoch(*(int(match.group(part)) for part in ("year", "month", "day", "hour", "minute", "second")))
    if seconds is None:
        return None
    return _zoned(seconds, match.group("zone") or match.group("zone2"), clock) + _fraction(match.group("fraction"))


def _date_epoch(match, clock):
    month = _month(match.group("name") or match.group("name2"))
    if month is None:
        return None
    hour = int(match.group("hour"))
    if match.group("half"):
        hour = hour % 12 + (12 if match.group("half") == "PM" else 0)
    rest = (
        month,
        int(match.group("day") or match.group("day2")),
        hour,
        int(match.group("minute")),
        int(match.group("second")),
    )
    year = match.group("year") or match.group("year2")
    if year is not None:
        years = (int(year),)
    elif clock.now is None:
        return None
    else:
        # A stamp without a year is the newest that is not in the future; a day of grace for clocks that disagree.
        this_year = 1970 + int(clock.now // 31556952)
        years = (this_year + 1, this_year, this_year - 1)
    for candidate in years:
        seconds = _epoch(candidate, *rest)
        if seconds is None:
            return None
        seconds = _zoned(seconds, match.group("zone"), clock) + _fraction(match.group("fraction"))
        if year is not None or seconds <= clock.now + 86400:
            return seconds
    return None


def parse_time(text, clock=None):
    """Seconds since 1970 of a date and time in any form that logs use, or None."""
    clock = clock or Clock()
    text = text.strip()[:80]
    for pattern, convert in ((_ISO, _iso_epoch), (_DATE, _date_epoch)):
        match = pattern.match(text)
        if match:
            return convert(match, clock)
    return None


# --- prefixes ---------------------------------------------------------------------------------------------------------


def _prefix(line, clock):
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
    for pattern, convert in ((_ISO, _iso_epoch), (_DATE, _date_epoch)):
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
                        record.program = record.program or "kernel[%s]" % match.group("pid")
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
            match = _KMSG.match(line, position)
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
                record.epoch = int(match.group("unix")) + _fraction(match.group("fraction"))
        if character.isalnum() and walls < 2:
            if not (character.isdigit() and match):
                for pattern, convert in ((_ISO, _iso_epoch), (_DATE, _date_epoch)):
                    match = pattern.match(line, position)
                    if match and (pattern is _DATE or match.group("zone2") is None or match.group("weekday")):
                        record.epoch = clock.understood(match, convert)
                        break
                    if match:
                        # Without a weekday in front, a word in capitals is the host's name and no zone.
                        record.epoch = convert(_ISO.match(line[position : match.start("zone2")].rstrip()), clock)
                        match = _ISO.match(line[: match.start("zone2")].rstrip(), position)
                        break
            if match:
                wall = record.prefixed = True
                walls += 1
                position = match.end()
                position += line[position : position + 1] == ":"
                while line[position : position + 1] == " ":
                    position += 1
                if walls < 2 and (_DATE.match(line, position) or _ISO.match(line, position)):
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


# --- escapes ----------------------------------------------------------------------------------------------------------

_HEX = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_OCTAL = re.compile(r"#0([0-3][0-7])")
_BAD_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\x")


def _from_hex(match):
    return bytes.fromhex(match.group().replace("\\x", "")).decode("utf-8", "backslashreplace")


def unescape(text):
    """What C(/dev/kmsg) writes as C(\\x0a) or C(\\x5c) as the bytes that it stands for; bytes that are no text stay
    C(\\xff)."""
    return _HEX.sub(_from_hex, text) if "\\x" in text else text


def readable(text):
    """Names as people would write them: UTF-8 that a tool wrote as C(\\xc3\\xa9) is a letter again, anything else
    stays."""

    def decode(match):
        data = bytes.fromhex(match.group().replace("\\x", ""))
        try:
            decoded = data.decode("utf-8")
        except ValueError:
            return match.group()
        return decoded if data[0] >= 0x80 else match.group()

    return re.sub(r"(?:\\x[89a-fA-F][0-9a-fA-F])+", decode, text) if "\\x" in text else text


# --- JSON -------------------------------------------------------------------------------------------------------------

_MSG_LINE = re.compile(r'\s{0,40}"msg"\s?:\s?(".{0,4096}")\s{0,8},?\s{0,8}\}?')
_TIME_LINE = re.compile(r'\s{0,40}"time"\s?:\s{0,8}"?(\d{1,12}\.\d{1,9}|\d{4}-[^"]{10,40})"?')
_PRI_LINE = re.compile(r'\s{0,40}"pri"\s?:\s{0,8}(\d{1,6})')
_FACILITY_LINE = re.compile(r'\s{0,40}"fac(?:ility)?"\s?:\s{0,8}"?(\w{1,12})')
_MESSAGE_KEYS = ("MESSAGE", "msg", "message", "log", "line", "text", "Message", "textPayload", "body")
_TIME_KEYS = ("@timestamp", "timestamp", "time", "ts", "date")


def _loads(text):
    try:
        return json.loads(_BAD_ESCAPE.sub(r"\1\\\\x", text))
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


def _number(value):
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


def _shipped_line(entry):
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


def _from_json(entry, clock):
    """The records of one JSON object: a line of C(journalctl -o json), or what a log shipper made of a line."""
    if not isinstance(entry, dict):
        return []
    if isinstance(entry.get("dmesg"), list):
        return [record for item in entry["dmesg"] for record in _from_json(item, clock)]
    journal = any(key in entry for key in ("MESSAGE", "_TRANSPORT", "__REALTIME_TIMESTAMP"))
    text = _message(entry.get("MESSAGE")) if journal else _shipped(entry)
    if not text:
        return []
    if journal:
        micros = _number(entry.get("_SOURCE_MONOTONIC_TIMESTAMP"))
        real = _number(entry.get("__REALTIME_TIMESTAMP"))
        program = None
        transport, identifier = entry.get("_TRANSPORT"), entry.get("SYSLOG_IDENTIFIER")
        if transport not in (None, "kernel") or (transport is None and identifier not in (None, "kernel")):
            program = str(identifier or entry.get("_COMM") or "?")
        facility = entry.get("SYSLOG_FACILITY")
        if facility not in (None, "0", 0) and program is None:
            program = str(identifier or "?")
        return [Record(text, None if micros is None else micros / 1e6, None if real is None else real / 1e6, program)]
    found = []
    uptime = _number(entry.get("time")) if "msg" in entry and not isinstance(entry.get("time"), str) else None
    shipped_at = None
    if uptime is None:
        shipped_at = next(
            (parse_time(entry[key], clock) for key in _TIME_KEYS if isinstance(entry.get(key), str)), None
        )
        if isinstance(entry.get("time"), str) and re.match(r"\d{1,9}\.\d{1,9}$", entry["time"]):
            uptime, shipped_at = float(entry["time"]), None
    pri = _number(entry.get("pri"))
    for number, record in enumerate(_from_text(text, clock)):
        record.uptime = uptime if record.uptime is None else record.uptime
        record.epoch = shipped_at if record.epoch is None else record.epoch
        if pri is not None and pri >= 8 or entry.get("fac") not in (None, "kern"):
            record.program = record.program or "?"
        record.prefixed = record.prefixed or number == 0
        found.append(record)
    return found


# --- lines ------------------------------------------------------------------------------------------------------------

# A message cut inside a command's name: the name holds a newline, and the next line goes on.
_OPEN_NAME = re.compile(r"ill(?:ed)? process \d{1,10}[^()\n]{0,24}\([^\n]{0,15}$|,task=[^\n,]{0,15}$")
_COMPLETE_NAME = re.compile(r"\)(?:\.|,? (?:UID|total-vm|vsz)|\s*$)")
# A line that begins like a kernel message is never the rest of the line before it.
_BEGINS = re.compile(
    r"(?:Out of memory|Memory cgroup|Kill(?:ed)? process|oom-kill:|Task in |Tasks state|\[\s{0,8}pid\s{0,8}\]"
    r"|\[\s{0,8}\d{1,10}\]\s"
    r"|oom_reaper:|Mem-Info|memory: usage|CPU: |Call Trace|[^\n]{1,40} invoked oom-killer:)",
    re.IGNORECASE,
)


# Mail programs break lines at blanks. These ends and beginnings belong together.
_BROKEN = (
    (
        re.compile(
            r"(?:out of|Kill(?:ed)?|process|process \d{1,10},?|score|sacrifice|oom-killer:|result|limit|of|Task"
            r"|Task in|UID|usage|limit)$"
        ),
        None,
    ),
    (
        re.compile(r"(?:\)|kB,|,|\d)$"),
        re.compile(r"(?:total-vm|vsz|anon-rss|file-rss|shmem-rss|pgtables|oom_score_adj|UID:? ?\d|, UID)"),
    ),
    (re.compile(r"\bKill process \d{1,10} \(.{1,16}\)$"), re.compile(r"score \d")),
    (re.compile(r"^.{1,15}$"), re.compile(r"invoked oom-killer|cpuset=")),
)
# Two messages in one line, as consoles without a line's end write them.
_SECOND = re.compile(
    r"\[\s{0,6}\d{1,9}\.\d{6}\] (?:Out of memory|Memory cgroup out|Kill(?:ed)? process|oom-kill:|oom_reaper:"
    r"|[^\n\[\]]{1,15} invoked oom-killer)"
)


_SUMMARY_PART = re.compile(r"(?:nodemask|cpuset|mems_allowed|oom_memcg|global_oom|task_memcg|task|pid|uid)(?:=|,)")


def _goes_on(last, line):
    """The rest of a line that was broken at a blank, or None."""
    rest = line.lstrip(" \t>|")
    end = last.text[-80:].rstrip()
    if end.endswith(",") and "oom-kill:constraint=" in last.text and _SUMMARY_PART.match(rest):
        return rest
    if "\n" in end or not rest:
        return None
    for ends, begins in _BROKEN:
        if ends.search(end) and (begins.match(rest) if begins else last.prefixed and not _BEGINS.match(rest)):
            return rest
    return None


def _clean(line):
    line = line.rstrip("\r") if len(line) <= LONGEST_LINE else line[:LONGEST_LINE]
    if "[" in line and ("\x1b" in line or "^[[" in line or "#033[" in line or "\\" in line):
        return _COLOUR.sub("", line)
    return line


# What terminals, mail, containers and grep put in front of every line of a log.
_WRAPPINGS = (
    re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] "),
    re.compile(r"\[(?:pod|container)/[^\]\s]{1,160}\] "),
    re.compile(r"[\w.-]{1,80}\s{0,20}\| "),
    re.compile(r"(?:[ \t\xa0]{0,8}(?:>|\||&gt;) ?){1,8}|[ \t\xa0]{0,8}[*+] (?=\S|\s{4})|\xa0{1,8}|\t(?=\S|\s{4})"),
    re.compile(r"/[\w./-]{1,120}:(?:\d{1,9}:)?|\d{1,9}:(?=[^\d\s]|\s{4})"),
)


def _unwrap(lines):
    """The lines without what stands in front of nearly every one of them."""
    for wrapping in _WRAPPINGS:
        full = [line for line in lines[:2000] if line and line != "\r"]
        if sum(wrapping.match(line) is not None for line in full) * 10 > len(full) * 9:
            lines = [wrapping.sub("", line, count=1) if wrapping.match(line) else line for line in lines]
    return lines


def _from_text(text, clock, stamps=()):
    """The records of text without JSON: one a line, but for lines that go on with the one before.

    V(stamps) has, by the number of a line, the time at which a log shipper saw it.
    """
    found = []
    lines = _unwrap([_clean(line) for line in text.split("\n")])
    # Terminals break long lines at their width: several lines then have just that length, and none is longer.
    width = max([0] + [len(line) for line in lines[:20000]])
    wrapped = width >= 60 and sum(len(line) == width for line in lines[:20000]) > 1
    before, indent = "", 0
    for number, line in enumerate(lines):
        if line == "--" or not line:
            before = line
            continue
        record, position = _prefix(line, clock)
        if not record.prefixed and found:
            joined = _continued(found[-1], line, indent, len(before), width, wrapped)
            if joined is not None:
                found[-1].text = joined
                before = line
                continue
        if line.startswith(" ") and re.match(r" [A-Z_]{3,20}=", line):
            # The fields that follow a record of /dev/kmsg.
            continue
        body = line[position:]
        if record.uptime is not None and _KMSG.match(line.lstrip(" >|")):
            body = unescape(body)
        if "#0" in body:
            body = _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), body)
        if (
            not record.prefixed
            and body[:1] in ('"', "'", "`")
            and (body.count(body[0]) == 1 or body.rstrip(" ,;")[-1:] == body[0])
        ):
            body = body[1:]
        record.text = body
        if number in stamps and record.epoch is None:
            record.epoch = stamps[number]
        found.append(record)
        if "." in body and "[" in body:
            _split(found, clock)
        before, indent = line, position
    _take_hosts_off(found)
    return found


# Messages that break off: in the middle of a number or a path, with nothing to show that a pager cut them.
_UNFINISHED = re.compile(
    r"illed process \d[^\n]{0,300}(?:total-vm|vsz):[^\n]{0,300}(?<!kB)(?<!\d)(?<!>)$"
    r"|illed process \d[^\n]{0,300}-rss:\d{1,15}k?$|oom-kill:constraint=[^\n]{0,1000}(?<!>)$"
)
_FINISHED = re.compile(r"(?:,pid=\d{1,10},uid=\d{1,10}|oom_score_adj:-?\d{1,4}|kB)\s{0,200}$")


def _continued(last, line, indent, before, width, wrapped):
    """The message that V(line) ends, where it has no prefix of its own because it is the rest of the message before
    it; or None.

    V(indent) is how long that message's prefix was, V(before) how long the line before, V(width) the longest line.
    """
    if len(last.text) > LONGEST_LINE:
        return None
    tail = last.text[-200:]
    open_name = _OPEN_NAME.search(tail) and not _COMPLETE_NAME.search(tail, max(0, tail.rfind("process")))
    blanks = len(line) - len(line.lstrip(" "))
    begins = _BEGINS.match(line.lstrip())
    full = before == width >= 60
    if last.prefixed and full and wrapped and not begins and (blanks < indent or not open_name):
        return last.text + line
    rest = None if open_name else _goes_on(last, line)
    if rest is not None:
        return last.text.rstrip() + ("" if _SUMMARY_PART.match(rest) and last.text.rstrip()[-1:] == "," else " ") + rest
    if last.prefixed and blanks >= 4 and (blanks >= indent or open_name):
        return last.text + "\n" + line[min(blanks, indent) :]
    if (
        not blanks
        and not begins
        and (full and open_name or _UNFINISHED.search(last.text[-1400:]) and not _FINISHED.search(last.text[-300:]))
    ):
        return last.text + line
    if open_name and not begins:
        return last.text + "\n" + line[min(blanks, indent) :]
    return None


def _split(found, clock):
    """Give each message of the last record, where it holds several, a record."""
    for _message_number in range(64):
        last = found[-1]
        second = _SECOND.search(last.text, 1)
        if second is None:
            return
        rest = last.text[second.start() :]
        record, position = _prefix(rest, clock)
        record.text = rest[position:]
        record.program = record.program or last.program
        record.epoch = last.epoch if record.epoch is None else record.epoch
        last.text = last.text[: second.start()]
        found.append(record)


def _take_hosts_off(found):
    """Where a log has stamps but no tags, the first word of a line may be the host's name: it is when most lines
    have it."""
    tagless = [record for record in found if record.tagless]
    words = {}
    for record in tagless:
        word = record.text.split(" ", 1)[0]
        words[word] = words.get(word, 0) + 1
    if not words:
        return
    word = max(words, key=words.get)
    if not word or _BEGINS.match(word + " ") or words[word] * 10 < len(tagless) * 6:
        return
    for record in tagless:
        rest = record.text[len(word) :].lstrip(" ") if record.text.startswith(word + " ") else ""
        if rest and (len(tagless) > 1 or not rest.startswith("invoked oom-killer")):
            record.text = rest


def records(text, clock=None):
    """The records of a log, in the log's order, whatever its format. No text makes it raise."""
    clock = clock or Clock()
    found, plain, stamps = [], [], {}

    def flush():
        if plain:
            found.extend(_from_text("\n".join(plain), clock, stamps))
            del plain[:]
            stamps.clear()

    uptime = epoch = program = None
    lines = text.split("\n")
    if "\\n" in text:
        # A log inside of a string, with its lines' ends escaped.
        lines = [
            part
            for line in lines
            for part in (line.split("\\n") if line.count("\\n") > 2 and not line.rstrip().endswith("}") else (line,))
        ]
    for line in lines:
        if '"' in line and len(line) < LONGEST_LINE:
            stripped = line.rstrip("\r ,")
            match = _MSG_LINE.match(line)
            if match:
                message = _loads(match.group(1))
                if isinstance(message, str):
                    flush()
                    found.append(Record(message, uptime, epoch, program))
                    uptime = epoch = program = None
                    continue
            match = _TIME_LINE.match(line)
            if match:
                uptime = _number(match.group(1))
                epoch = parse_time(match.group(1), clock) if uptime is None else None
                continue
            match = _PRI_LINE.match(line)
            if match:
                program = "?" if int(match.group(1)) >> 3 else None
                continue
            match = _FACILITY_LINE.match(line)
            if match:
                program = None if match.group(1) in ("kern", "0") else match.group(1)
                continue
            start = line.find('{"')
            if start < 0:
                start = line.find('{ "')
            if start >= 0 and stripped.endswith("}"):
                entry = _loads(stripped[start:])
                shipped = _shipped_line(entry)
                if shipped is not None:
                    stamps[len(plain)] = next(
                        (parse_time(entry[key], clock) for key in _TIME_KEYS if isinstance(entry.get(key), str)), None
                    )
                    plain.append(shipped)
                    continue
                entries = _from_json(entry, clock)
                if entries:
                    flush()
                    found.extend(entries)
                    continue
        plain.append(line)
    flush()
    for record in found:
        if record.epoch is None:
            record.epoch = clock.from_uptime(record.uptime)
    return _in_order(found)


def _in_order(found):
    """Logs are also printed newest first (C(journalctl -r)); joining wants the order in which things happened."""
    later = earlier = 0
    for stamp in ("uptime", "epoch"):
        last = None
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


def _order_of_messages(found):
    """How often a kill's messages stand in their order, and how often the other way round."""
    forwards = backwards = 0
    last = last_pid = None
    for record in found:
        text = record.text
        kind = (
            "summary"
            if "oom-kill:constraint" in text
            else "killed"
            if "illed process " in text
            else "selected"
            if "ill process " in text
            else "invoked"
            if "invoked oom-killer" in text
            else None
        )
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
