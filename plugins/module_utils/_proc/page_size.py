# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the size of a page of memory: the kernel counts in pages if it does not count in kilobytes."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources

SOURCES = ("/proc/self/smaps",)
# The size stands in the record of the first mapping, so the rest of the file need not be read.
READ_LIMIT = 1024

_PAGE = re.compile(r"^KernelPageSize: +([0-9]{1,9}) kB$", re.MULTILINE)


def page_size(sources: Sources) -> int:
    """Return the bytes of a page; 4096 if the kernel does not say."""
    found = _PAGE.search(sources.get("/proc/self/smaps", ""))
    return int(found.group(1)) * 1024 if found else 4096
