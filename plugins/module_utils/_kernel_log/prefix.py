# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the prefix off a line of a kernel log: stamps, priorities, hosts and tags, in any order that logs have."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import (
    DATE,
    ISO,
    Clock,
    date_epoch,
    fraction,
    iso_epoch,
)

LONGEST_PREFIX = 240


class Record:
    """One message of a log.

    - `text`: the message without its prefix, with line breaks if it has several lines
    - `uptime`: seconds since boot, None if the log does not tell
    - `epoch`: seconds since 1970, None if the log does not tell
    - `program`: the program that wrote the message, if the log shows that it was not the kernel
    - `caller`: the task or processor that the kernel names with `CONFIG_PRINTK_CALLER`
    - `prefixed`: whether anything was recognised in front of the message
    - `junk`: what else stood in front of the prefix
    - `tagless`: whether a date stood in front, but no tag
    - `exact`: whether the message is a whole record of the kernel's buffer, so it begins as the kernel began it
    """

    __slots__ = ("text", "uptime", "epoch", "program", "caller", "prefixed", "junk", "tagless", "exact")

    def __init__(
        self,
        text: str,
        uptime: float | None = None,
        epoch: float | None = None,
        program: str | None = None,
        prefixed: bool = True,
    ) -> None:
        self.text = text
        self.uptime = uptime
        self.epoch = epoch
        self.program = program
        self.caller: str | None = None
        self.prefixed = prefixed
        self.junk = ""
        self.tagless = False
        self.exact = False


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
_HOST_NAME = r"(?:[^\s\[\]{}\"]{1,255}|\[[0-9A-Fa-f.]{0,4}:[0-9A-Fa-f:.]{1,45}(?:%\w{1,16})?\])"
_KERNEL_TAG = re.compile(
    r"(?:"
    + _NO_PRIORITY
    + rf"(?P<host>{_HOST_NAME})\s{{1,3}})?"
    + _PRIORITY
    + r"(?:(?P<tag>kernel|klogd|vmunix)(?:\[(?P<pid>\d{1,10})\])?:|kernel - \S{1,20} (?:-|\[[^\]]{0,120}\]))(?:\s|$)"
)
_OTHER_TAG = re.compile(
    r"(?:"
    + _NO_PRIORITY
    + rf"(?P<host>{_HOST_NAME})\s{{1,3}})?"
    + _PRIORITY
    + r"(?P<tag>[^\s\[\]:{}\"]{1,64}|\([^\s)]{1,40}\))(?:\[(?P<pid>\d{1,10})\])?:(?=\s)"
)
_HOST = re.compile(_HOST_NAME + r"\s{1,3}(?=\[\s{0,12}\d{1,12}\.\d{1,9}\])")
_QUOTING = re.compile(r"(?:[>|]|&gt;|(?:stdout|stderr) [FP]\s|[*+-]\s|#\s|`{1,3}|\[(?:pod|container)/[^\]\s]{1,160}\])")
_JUMP = re.compile(
    r"\bkernel(?:\[\d{1,10}\])?:\s|\[\s{0,12}\d{1,12}\.\d{3,9}(?:\s{1,12}<[\s\d.+-]{1,24}>)?\]"
    r"|\[[^\[\]]{1,32}\d\d:\d\d:\d\d[^\[\]]{0,16}\]"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|[A-Z][a-z]{2}\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d"
    r"|(?<!\d)\d{1,3},\d{1,20},\d{1,20},[^;\s]{1,60};"
)
_USER_TAG = re.compile(r"[A-Za-z0-9_)@.-]\[\d{1,10}\]:\s")
# The stamp of `dmesg --time-format iso` has a comma and six digits.
_DMESG_ISO = re.compile(r"T\d\d:\d\d:\d\d,\d{6}[+-]\d\d:?\d\d$")
_BLANKS = (" ", "\t", "\xa0")
_MOST_PIECES, _MOST_STAMPS = 16, 2
_MORE, _DONE = "more", "done"
# A syslog line has one of these where a program's tag would stand, if the tag was taken out of the log.
_KERNEL_WORDS = frozenset(
    ("CPU", "Mem-Info", "memory", "memory+swap", "kmem", "swap", "RIP", "RSP", "Code", "Node", "Pid")
)


def prefix(line: str, clock: Clock) -> tuple[Record, int]:
    """Return a record without its text for the prefix of a line, and the place at which the message begins."""
    record = Record("", prefixed=False)
    position = _Scanner(line, 0, record, clock).scan()
    if not record.prefixed:
        jump = _JUMP.search(line, position, LONGEST_PREFIX)
        if jump:
            junk = line[: jump.start()]
            end = _Scanner(line, jump.start(), record, clock).scan()
            if record.prefixed:
                record.junk, position = junk, end
                if record.program is None and _written_by_a_program(junk, record):
                    record.program = "?"
    return record, position


def _written_by_a_program(junk: str, record: Record) -> bool:
    """Return whether the text in front of a kernel prefix shows that a program quoted the kernel's message."""
    decoded = _DECODED.search(junk)
    if decoded and decoded.group("facility") != "kern":
        return True
    return record.uptime is None and _USER_TAG.search(junk + " ") is not None


class _Scanner:
    """Walk over the pieces of a line's prefix, and note in a record what each of them tells.

    Each reader of one kind of piece moves `position` behind the piece and returns what comes next: `_MORE` if
    another piece may follow, `_DONE` if the message begins here, or None if the line does not go on with its kind.
    """

    __slots__ = ("line", "position", "record", "clock", "stamps")

    def __init__(self, line: str, position: int, record: Record, clock: Clock) -> None:
        self.line = line
        self.position = position
        self.record = record
        self.clock = clock
        self.stamps = 0

    def scan(self) -> int:
        """Return the place at which the message begins."""
        for _piece in range(_MOST_PIECES):
            while not self.record.prefixed and self.line[self.position : self.position + 1] in _BLANKS:
                self.position += 1
            if self._piece() is not _MORE:
                break
        return self.position

    def _piece(self) -> str | None:
        """Read one piece, whatever its kind."""
        character = self.line[self.position : self.position + 1]
        step = None
        if character == "[":
            step = self._bracket()
        elif character == "<":
            step = self._level()
        elif character.isdigit():
            step = self._kmsg()
        if step is None and character.isalnum() and self.stamps < _MOST_STAMPS:
            step = self._stamp()
        return step or self._kernel_tag() or self._host_or_tag() or self._decoded() or self._quoting()

    def _skip(self, character: str = " ") -> None:
        self.position += self.line[self.position : self.position + 1] == character

    def _uptime_or_delta_follows(self) -> bool:
        line, position = self.line, self.position
        return line[position : position + 1] == "[" and bool(
            _UPTIME.match(line, position) or _CALLER.match(line, position) or _DELTA.match(line, position)
        )

    def _take_caller(self) -> bool:
        """Read the task or processor that `CONFIG_PRINTK_CALLER` puts behind the uptime."""
        match = _CALLER.match(self.line, self.position)
        if match:
            self.record.caller, self.position = match.group("caller"), match.end()
        return match is not None

    def _bracket(self) -> str | None:
        """Read a stamp in brackets: the uptime, a date and time, or the time since the message before."""
        match = _UPTIME.match(self.line, self.position)
        if match:
            return self._uptime(match)
        end = self._bracketed_time()
        if end is None:
            match = _DELTA.match(self.line, self.position) or _CALLER.match(self.line, self.position)
            if match is None:
                return None
            end = match.end()
            self.record.caller = match.groupdict().get("caller") or self.record.caller
        self.position = end
        self._skip()
        self.record.prefixed = True
        # `dmesg -e` and `dmesg -d` may go on with a second bracket.
        match = _DELTA.match(self.line, self.position)
        if match:
            self.position = match.end()
            self._skip()
            return _DONE
        if self._take_caller():
            self._skip()
        follows = _UPTIME.match(self.line, self.position) or _KERNEL_TAG.match(self.line, self.position)
        return _MORE if follows else _DONE

    def _uptime(self, match: re.Match[str]) -> str:
        """Read the seconds since boot, and what `journalctl -o short-monotonic` and consoles put behind them."""
        if self.record.uptime is None:
            self.record.uptime = float(match.group("uptime"))
        self.position = match.end()
        if not self._take_caller() and _CALLER.match(self.line, self.position + 1):
            self.position += 1
            self._take_caller()
        self._skip()
        self.record.prefixed = True
        tag = _KERNEL_TAG.match(self.line, self.position)
        if tag and tag.group("tag"):
            if tag.group("pid"):
                self.record.program = self.record.program or f"kernel[{tag.group('pid')}]"
            self.position = tag.end()
        return _DONE

    def _bracketed_time(self) -> int | None:
        """Return the end of a stamp of `dmesg -T`, or of a console that writes the time in brackets."""
        end = self.line.find("]", self.position, self.position + 64)
        inner = self.line[self.position + 1 : end] if end > 0 else ""
        if inner.count(":") < 2 or "[" in inner:
            return None
        for pattern, convert in ((ISO, iso_epoch), (DATE, date_epoch)):
            match = pattern.match(inner.strip())
            if match:
                self.record.epoch = convert(match, self.clock)
                return end + (2 if self.line[end + 1 : end + 2] == ":" else 1)
        return end + 1 if re.search(r"\d\d:\d\d:\d\d", inner) else None

    def _level(self) -> str | None:
        """Read a priority as in `<3>`; its upper bits are the facility, which is 0 for the kernel."""
        match = _LEVEL.match(self.line, self.position)
        if match is None:
            return None
        if int(match.group("pri")) >> 3:
            self.record.program = self.record.program or "?"
        self.position = match.end()
        self.record.prefixed = True
        return _MORE

    def _kmsg(self) -> str | None:
        """Read the head of a record of `/dev/kmsg`: priority, number, microseconds since boot, flags."""
        match = KMSG.match(self.line, self.position)
        if match is None:
            return None
        if int(match.group("pri")) >> 3:
            self.record.program = self.record.program or "?"
        self.record.uptime = int(match.group("micros")) / 1e6
        caller = re.search(r"caller=([TC]\d+)", match.group("flags"))
        self.record.caller = caller.group(1) if caller else None
        self.record.prefixed = True
        self.position = match.end()
        return _DONE

    def _stamp(self) -> str | None:
        """Read a date and time, or seconds since 1970, and say whether a second stamp follows."""
        match = _UNIX.match(self.line, self.position)
        if match:
            self.record.epoch = int(match.group("unix")) + fraction(match.group("fraction"))
            end: int | None = match.end()
        else:
            end = self._date_and_time()
        if end is None:
            return None
        self.record.prefixed = True
        self.stamps += 1
        self.position = end
        self._skip(":")
        while self.line[self.position : self.position + 1] == " ":
            self.position += 1
        if _DMESG_ISO.search(self.line, 0, end) and not _KERNEL_TAG.match(self.line, self.position):
            # dmesg writes neither a host nor a tag. A name in front of a colon, as in "tmux: server", is a command's.
            return _MORE if self._uptime_or_delta_follows() else _DONE
        if self.stamps < _MOST_STAMPS and (DATE.match(self.line, self.position) or ISO.match(self.line, self.position)):
            return _MORE
        return None

    def _date_and_time(self) -> int | None:
        """Note the date and time that stand here, and return where they end."""
        match = ISO.match(self.line, self.position)
        if match:
            if match.group("zone2") is None or match.group("weekday"):
                self.record.epoch = self.clock.understood(match, iso_epoch)
                return match.end()
            # A word in capitals is the host's name unless a weekday stands in front of the date: then it is the zone.
            end = len(self.line[: match.start("zone2")].rstrip())
            match = ISO.match(self.line[:end], self.position)
            self.record.epoch = iso_epoch(match, self.clock) if match else None
            return end
        match = DATE.match(self.line, self.position)
        if match is None:
            return None
        self.record.epoch = self.clock.understood(match, date_epoch)
        return match.end()

    def _kernel_tag(self) -> str | None:
        """Read `kernel:` with a host's name and a priority in front."""
        if not self.stamps and self.record.prefixed and not self.line.startswith("kernel:", self.position):
            return None
        match = _KERNEL_TAG.match(self.line, self.position)
        if match is None or match.group("host") is not None and not self.stamps:
            return None
        if match.group("pid") or match.group("facility") not in (None, "kern"):
            self.record.program = self.record.program or "kernel[%s]" % (match.group("pid") or "")
        self.record.prefixed = True
        self.position = match.end()
        return _MORE if self._uptime_or_delta_follows() else _DONE

    def _host_or_tag(self) -> str | None:
        """Read what syslog puts behind a date: a host's name, and the tag of the program that wrote the message."""
        if not self.stamps:
            return None
        match = _HOST.match(self.line, self.position)
        if match:
            self.position = match.end()
            return _MORE
        match = _OTHER_TAG.match(self.line, self.position)
        if match:
            if match.group("pid") or match.group("tag") not in _KERNEL_WORDS:
                self.record.program = self.record.program or match.group("tag")
            return _DONE
        if _UPTIME.match(self.line, self.position):
            return _MORE
        self.record.tagless = True
        return None

    def _decoded(self) -> str | None:
        """Read facility and level as `dmesg -x` writes them."""
        match = _DECODED.match(self.line, self.position)
        if match is None:
            return None
        if match.group("facility") != "kern":
            self.record.program = self.record.program or match.group("facility")
        self.record.prefixed = True
        self.position = match.end()
        return _MORE

    def _quoting(self) -> str | None:
        """Read a mark that mail, tables or containers put in front of a line."""
        match = None if self.record.prefixed else _QUOTING.match(self.line, self.position)
        if match is None:
            return None
        self.position = match.end()
        return _MORE
