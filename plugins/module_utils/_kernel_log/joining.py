# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise lines that go on with the message of the line before."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

# A message has at most about 1 KiB.
LONGEST_MESSAGE = 1 << 16
# A message that ends inside a command's name: the name has a line break, and the next line goes on.
_OPEN_NAME = re.compile(r"ill(?:ed)? process \d{1,10}[^()\n]{0,24}\([^\n]{0,15}$|,task=[^\n,]{0,15}$")
_COMPLETE_NAME = re.compile(r"\)(?:\.|,? (?:UID|total-vm|vsz)|\s*$)")
# A line that begins like a kernel message is never the rest of the line before it.
BEGINS = re.compile(
    r"(?:Out of memory|Memory cgroup|Kill(?:ed)? process|oom-kill:|Task in |Tasks state|\[\s{0,8}pid\s{0,8}\]"
    r"|\[\s{0,8}\d{1,10}\]\s"
    r"|oom_reaper:|Mem-Info|memory: usage|CPU: |Call Trace|[^\n]{1,40} invoked oom-killer:)",
    re.IGNORECASE,
)
# Mail programs break lines at blanks. Ends of lines, and beginnings of the lines that may go on with them.
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
_SUMMARY_PART = re.compile(r"(?:nodemask|cpuset|mems_allowed|oom_memcg|global_oom|task_memcg|task|pid|uid)(?:=|,)")
# Messages that end in the middle of a number or a path, without the mark of a pager that cut them.
_UNFINISHED = re.compile(
    r"illed process \d[^\n]{0,300}(?:total-vm|vsz):[^\n]{0,300}(?<!kB)(?<!\d)(?<!>)$"
    r"|illed process \d[^\n]{0,300}-rss:\d{1,15}k?$|oom-kill:constraint=[^\n]{0,1000}(?<!>)$"
)
_FINISHED = re.compile(r"(?:,pid=\d{1,10},uid=\d{1,10}|oom_score_adj:-?\d{1,4}|kB)\s{0,200}$")


def _rest_of_broken_line(last: Record, line: str) -> str | None:
    """Return the rest of a message that was broken at a blank, or None if `line` is something else."""
    rest = line.lstrip(" \t>|")
    end = last.text[-80:].rstrip()
    if end.endswith(",") and "oom-kill:constraint=" in last.text and _SUMMARY_PART.match(rest):
        return rest
    if "\n" in end or not rest:
        return None
    for ends, begins in _BROKEN:
        if ends.search(end) and (begins.match(rest) if begins else last.prefixed and not BEGINS.match(rest)):
            return rest
    return None


class Layout:
    """How wide a log is, and how its last line was laid out.

    - `width`: the length of the longest line
    - `wrapped`: whether a terminal seems to have broken lines at that width: several have it, and none is longer
    - `before`: the length of the line before
    - `indent`: the length of the prefix of the message before
    """

    __slots__ = ("width", "wrapped", "before", "indent")

    def __init__(self, lines: list[str]) -> None:
        lengths = [len(line) for line in lines[:20000]]
        self.width = max([0, *lengths])
        self.wrapped = self.width >= 60 and lengths.count(self.width) > 1
        self.before = self.indent = 0


def joined(last: Record, line: str, layout: Layout) -> str | None:
    """Return the message of `last` with a line without prefix that goes on with it, or None if it does not."""
    if len(last.text) > LONGEST_MESSAGE:
        return None
    tail = last.text[-200:]
    open_name = bool(_OPEN_NAME.search(tail) and not _COMPLETE_NAME.search(tail, max(0, tail.rfind("process"))))
    blanks = len(line) - len(line.lstrip(" "))
    begins = BEGINS.match(line.lstrip())
    full = layout.before == layout.width >= 60
    if last.prefixed and full and layout.wrapped and not begins and (blanks < layout.indent or not open_name):
        return last.text + line
    rest = None if open_name else _rest_of_broken_line(last, line)
    if rest is not None:
        start = last.text.rstrip()
        return start + ("" if _SUMMARY_PART.match(rest) and start.endswith(",") else " ") + rest
    if last.prefixed and blanks >= 4 and (blanks >= layout.indent or open_name):
        return last.text + "\n" + line[min(blanks, layout.indent) :]
    if not blanks and not begins and (full and open_name or _is_unfinished(last.text)):
        return last.text + line
    if open_name and not begins:
        return last.text + "\n" + line[min(blanks, layout.indent) :]
    return None


def _is_unfinished(text: str) -> bool:
    return bool(_UNFINISHED.search(text[-1400:])) and not _FINISHED.search(text[-300:])
