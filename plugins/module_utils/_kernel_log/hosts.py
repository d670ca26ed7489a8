# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the host's name from the lines of a log that has dates and hosts but no tags."""

from __future__ import annotations

import re
from collections import Counter

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import Record

# The beginnings of a kernel's messages about a kill.
_MESSAGE = re.compile(
    r"Out of [Mm]emory|Memory cgroup |[Kk]ill(?:ed)? process \d|oom-kill:|oom_reaper: |Task in |Tasks (?:state|in) "
    r"|\[\s{0,8}(?:pid|\d{1,10})\s{0,8}\]\s|Mem-Info|memory: usage|memory\+swap: |kmem: |CPU: \d|Pid: \d|Call Trace"
    r"|Node \d|Hardware name|No available memory|\d{1,12} (?:total pagecache )?pages |oom_kill_process: \d"
)
_COMMAND = re.compile(r"\S.{0,40}? (?:invoked oom-killer|cpuset=\S)")
_AFTER_COMMAND = re.compile(r"invoked oom-killer|cpuset=\S")
_NAME = re.compile(r"[\w.:%@/-]{1,255}$")


def take_hosts_off(records: list[Record]) -> None:
    """Remove the first word of each record without a tag, if it is a host's name.

    It is one if most of the records begin with it, and if more of them read like a kernel's message without it than
    with it. Messages begin alike as well, as in a log that was searched for "Killed".
    """
    tagless = [record for record in records if record.tagless]
    words = Counter(record.text.split(" ", 1)[0] for record in tagless)
    if not words:
        return
    word, count = words.most_common(1)[0]
    if not _NAME.match(word) or count * 10 < len(tagless) * 6:
        return
    found = [(record, _behind(record.text, word)) for record in tagless]
    without = sum(_reads_without(record.text, rest) for record, rest in found)
    if without <= sum(_reads_with(record.text, rest) for record, rest in found):
        return
    for record, rest in found:
        if rest and not _AFTER_COMMAND.match(rest):
            record.text = rest


def _behind(text: str, word: str) -> str:
    """Return the text behind its first word, or nothing if that is another word."""
    return text[len(word) :].lstrip(" ") if text.startswith(word + " ") else ""


def _reads_without(text: str, rest: str) -> bool:
    """Return whether a text is a message only without its first word."""
    if not rest or _MESSAGE.match(text) or _AFTER_COMMAND.match(rest):
        return False
    return bool(_MESSAGE.match(rest) or _COMMAND.match(rest))


def _reads_with(text: str, rest: str) -> bool:
    """Return whether a text is a message only with its first word."""
    return bool(_MESSAGE.match(text) or _AFTER_COMMAND.match(rest))
