# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognise lines that go on with the message of the line before."""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

# A message has at most about 1 KiB, and a few more lines of statistics.
LONGEST_MESSAGE = 1 << 13
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
_ENDS = re.compile(
    r"(?:^Out|^Memory|cgroup out|out of|memory:|Kill(?:ed)?|process|process \d{1,10},?|score|or|sacrifice|invoked"
    r"|oom-killer:|killed|killed as|as a|result|limit|of|Task|Task in|UID|usage|limit)$",
    re.IGNORECASE,
)
_NEXT_WORD = re.compile(
    r"(?:process|memory[: ]|of |out of|cgroup |oom-killer:|sacrifice|child|or |score |as a|a result|result of|limit "
    r"|in /|[/(])"
)
_BROKEN = (
    (_ENDS, None),
    (
        re.compile(r"(?:\)|kB,|,|\d)$"),
        re.compile(r"(?:total-vm|vsz|anon-rss|file-rss|shmem-rss|pgtables|oom_score_adj|UID:? ?\d|, UID)"),
    ),
    (re.compile(r"\bKill process \d{1,10} \(.{1,16}\)$"), re.compile(r"score \d")),
    (re.compile(r"^.{1,15}$"), re.compile(r"invoked oom-killer|cpuset=")),
)
_HYPHEN = re.compile(r"\w-$")
_WITHOUT_SIZES = re.compile(r"illed process \d{1,10} \([^()\n]{1,15}\)\.?$")
_SIZES_OR_SCORE = re.compile(r",? ?(?:total-vm|vsz|UID|score)")
_SUMMARY_PART = re.compile(r"(?:nodemask|cpuset|mems_allowed|oom_memcg|global_oom|task_memcg|task|pid|uid)(?:=|,)")
# A message about a killed process, or the summary, ends in the middle of a number, a word or a path.
_FINISHED = re.compile(r"(?:,pid=\d{1,10},uid=\d{1,10}|oom_score_adj:-?\d{1,4}|kB)\s{0,200}$")
_CUT_NUMBER = re.compile(r"(?:-rss|vm|vsz):\d{1,15}k?$")
_LONGEST_KILL = 600
_LONGEST_SUMMARY = 1400
_MAIL_WIDTHS = (40, 200)
_SLACK = 7  # several blanks at the end of a line, as between columns, or quoting marks in front of the first line only


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
    """The width of a log, the way its lines were broken, and the layout of its last line.

    - `width`: the length of the longest line
    - `wrapped`: whether a terminal seems to have broken lines at that width: several have it, and none is longer
    - `mail_width`: the width at which a mail program broke lines at blanks, or 0
    - `before`: the line before
    - `indent`: the length of the prefix of the message before
    """

    __slots__ = ("width", "wrapped", "mail_width", "before", "indent")

    def __init__(self, lines: Sequence[str], prefixed: Sequence[bool]) -> None:
        lengths = [len(line) for line in lines[:20000]]
        self.width = max([0, *lengths])
        self.wrapped = self.width >= 60 and lengths.count(self.width) > 1
        self.mail_width = _mail_width(lines[:20000], prefixed, self.width if self.wrapped else 0)
        self.before = ""
        self.indent = 0

    def broke_before(self, line: str) -> bool:
        """Return whether a mail program broke the line before in front of `line`."""
        return bool(self.mail_width and self.before) and _exceeds(self.before, line, self.mail_width)


def _mail_width(lines: Sequence[str], prefixed: Sequence[bool], terminal_width: int) -> int:
    """Return the width at which a mail program broke lines at blanks, or 0 if none did.

    It broke them if lines without a prefix follow lines with one, and if the first word of nearly each of them would
    not have fitted into the line before.
    """
    width = max([len(line.rstrip()) for line in lines if " " in line.strip()], default=0)
    if not _MAIL_WIDTHS[0] <= width <= _MAIL_WIDTHS[1] or not any(prefixed):
        return 0
    pairs = [
        (before, line)
        for before, line, has_prefix in zip(lines, lines[1:], prefixed[1:])
        if before and line.strip() and not has_prefix and not line.startswith("    ")
    ]
    if terminal_width and all(len(before) == terminal_width for before, _line in pairs):
        return 0
    exceeding = sum(_exceeds(before, line, width) for before, line in pairs)
    return width if pairs and exceeding * 10 >= len(pairs) * 9 else 0


def _exceeds(before: str, line: str, width: int) -> bool:
    """Return whether the first word of a line would not fit into the line before."""
    start = line.lstrip(" \t>|")
    end = start.find(" ")
    return len(before.rstrip()) + 1 + (end if end >= 0 else len(start)) > width - _SLACK


def joined(last: Record, line: str, layout: Layout) -> str | None:
    """Return the message of `last` with a line without prefix that goes on with it, or None if it does not."""
    if len(last.text) > LONGEST_MESSAGE:
        return None
    blanks = len(line) - len(line.lstrip(" "))
    if last.prefixed and blanks < 4 and layout.broke_before(line) and not _is_whole(last.text, line):
        return _with_rest(last.text, line.strip())
    tail = last.text[-200:]
    open_name = bool(_OPEN_NAME.search(tail) and not _COMPLETE_NAME.search(tail, max(0, tail.rfind("process"))))
    begins = BEGINS.match(line.lstrip())
    full = len(layout.before) == layout.width >= 60
    if last.prefixed and full and layout.wrapped and not begins and (blanks < layout.indent or not open_name):
        # The blank at which a line is broken is lost if the line was exactly as long as it could be.
        between_words = _ENDS.search(last.text[-80:]) and _NEXT_WORD.match(line)
        return last.text + (" " if between_words else "") + line
    rest = None if open_name else _rest_of_broken_line(last, line)
    if rest is not None:
        return _with_rest(last.text, rest)
    if last.prefixed and blanks >= 4 and (blanks >= layout.indent or open_name):
        return last.text + "\n" + line[min(blanks, layout.indent) :]
    if not blanks and not begins and (full and open_name or _is_unfinished(last.text)):
        return last.text + line
    if open_name and not begins:
        return last.text + "\n" + line[min(blanks, layout.indent) :]
    return None


def _with_rest(text: str, rest: str) -> str:
    """Return a message that was broken at a blank, or behind a comma or a hyphen, in one piece."""
    start = text.rstrip()
    without_blank = not start or _SUMMARY_PART.match(rest) and start.endswith(",") or _HYPHEN.search(start[-2:])
    return start + ("" if without_blank else " ") + rest


def _is_whole(text: str, line: str) -> bool:
    """Return whether a message of kernels before 2.6.32, without sizes, is complete in front of a line of prose."""
    return bool(_WITHOUT_SIZES.search(text[-80:])) and not _SIZES_OR_SCORE.match(line.lstrip())


def _is_unfinished(text: str) -> bool:
    """Return whether a message ends in the middle of a number or a path, without the mark of a pager that cut it."""
    text = text[-_LONGEST_SUMMARY:]
    if text.endswith((">", "\u2026")) or _FINISHED.search(text[-300:]):
        return False
    if "oom-kill:constraint=" in text and "\n" not in text:
        return True
    kill = text[text.rfind("illed process ") :][:_LONGEST_KILL] if "illed process " in text else ""
    if "\n" in kill or not ("total-vm:" in kill or "vsz:" in kill):
        return False
    return bool(_CUT_NUMBER.search(kill[-32:])) or not kill[-1].isdigit()
