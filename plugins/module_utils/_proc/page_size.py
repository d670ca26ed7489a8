# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a page of memory, which the kernel counts in where it doesn't count in kilobytes."""

from __future__ import annotations

import re

SOURCES = ("/proc/self/smaps",)
# The size stands in the first mapping's record: more of the file needn't be read.
READ_LIMIT = 1024

_PAGE = re.compile(r"^KernelPageSize: +(\d{1,9}) kB$", re.MULTILINE)


def page_size(sources):
    """Bytes of a page; 4096 where the kernel doesn't say."""
    found = _PAGE.search(sources.get("/proc/self/smaps", ""))
    return int(found.group(1)) * 1024 if found else 4096
