# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse /proc/PID/stat."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

# The kernel counts CPU time and start times in these for user space, whatever its own clock.
TICKS_PER_SECOND = 100

_KERNEL_THREAD = 0x00200000
# Fields 3 to 24 of proc_pid_stat(5). The file has more behind them.
_FIELDS = re.compile(
    r" ([A-Za-z]) (-?[0-9]{1,20})(?: -?[0-9]{1,20}){4} ([0-9]{1,20})(?: -?[0-9]{1,20}){4} ([0-9]{1,20}) ([0-9]{1,20})"
    r"(?: -?[0-9]{1,20}){3} (-?[0-9]{1,20}) ([0-9]{1,20}) -?[0-9]{1,20} ([0-9]{1,20}) ([0-9]{1,20})"
    r" (-?[0-9]{1,20})(?:\s|\Z)"
)


class Stat(NamedTuple):
    """The values of /proc/PID/stat; times are in ticks."""

    name: str
    state: str
    ppid: int
    flags: int
    user_ticks: int
    system_ticks: int
    nice: int
    threads: int
    start_ticks: int
    virtual_bytes: int
    rss_pages: int

    @property
    def is_kernel_thread(self) -> bool:
        """Return whether it is a thread of the kernel, which has no memory or files of its own."""
        return bool(self.flags & _KERNEL_THREAD)


def parse(text: Optional[str]) -> Optional[Stat]:
    """Return what the text of a stat file says, or None if it is not one.

    The process chooses its name, which may hold blanks, parentheses and line breaks: it ends at the last parenthesis.
    """
    name, closed, rest = (text or "").partition("(")[2].rpartition(")")
    fields = _FIELDS.match(rest) if closed else None
    if fields is None:
        return None
    state, *numbers = fields.groups()
    return Stat(name, state, *map(int, numbers))
