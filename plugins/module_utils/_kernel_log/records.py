# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel messages out of a log of any shape.

The same message reaches a reader in dozens of dresses: C(dmesg) with five kinds of stamps, raw C(/dev/kmsg) records, what syslog
daemons write, ten formats of C(journalctl), a serial console, a log shipper's JSON, or any of them pasted into a report with
quoting marks in front. B(records) takes all of these off and gives what the kernel said, with what can be known of when it said
so, and whether it was the kernel at all.
"""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.escapes import OCTAL, unescape
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import KMSG, Record, prefix
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.shippers import (
    TIME_KEYS,
    from_json,
    loads,
    shipped_line,
    to_number,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock, parse_time

# A message is at most about 1 KiB; whatever is longer is no single message, and is cut so that no line costs much.
LONGEST_LINE = 1 << 16
_COLOUR = re.compile(
    r"(?:\x1b|\^\[|#033|\\x1b|\\033|\\e|\\u001b)\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)"
)
_MSG_LINE = re.compile(r'\s{0,40}"msg"\s?:\s?(".{0,4096}")\s{0,8},?\s{0,8}\}?')
_TIME_LINE = re.compile(r'\s{0,40}"time"\s?:\s{0,8}"?(\d{1,12}\.\d{1,9}|\d{4}-[^"]{10,40})"?')
_PRI_LINE = re.compile(r'\s{0,40}"pri"\s?:\s{0,8}(\d{1,6})')
_FACILITY_LINE = re.compile(r'\s{0,40}"fac(?:ility)?"\s?:\s{0,8}"?(\w{1,12})')
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
        record, position = prefix(line, clock)
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
        if record.uptime is not None and KMSG.match(line.lstrip(" >|")):
            body = unescape(body)
        if "#0" in body:
            body = OCTAL.sub(lambda match: chr(int(match.group(1), 8)), body)
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
        record, position = prefix(rest, clock)
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
                message = loads(match.group(1))
                if isinstance(message, str):
                    flush()
                    found.append(Record(message, uptime, epoch, program))
                    uptime = epoch = program = None
                    continue
            match = _TIME_LINE.match(line)
            if match:
                uptime = to_number(match.group(1))
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
                entry = loads(stripped[start:])
                shipped = shipped_line(entry)
                if shipped is not None:
                    stamps[len(plain)] = next(
                        (parse_time(entry[key], clock) for key in TIME_KEYS if isinstance(entry.get(key), str)), None
                    )
                    plain.append(shipped)
                    continue
                entries = from_json(entry, clock, _from_text)
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
