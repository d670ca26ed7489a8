# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of a process by what is mapped, as C(pmap) groups it, out of /proc/PID/smaps."""

from __future__ import annotations

import re

_HEAD = re.compile(r"^[0-9a-f]{1,16}-[0-9a-f]{1,16} \S{4} [0-9a-f]{1,16} [0-9a-f]{1,8}:[0-9a-f]{1,8} \d{1,20} *(.*)$")
_FIELD = re.compile(r"^(Size|Rss|Pss|Swap|Private_Clean|Private_Dirty): +(\d{1,15}) kB$")
_KEYS = {
    "Size": "size_bytes",
    "Rss": "rss_bytes",
    "Pss": "pss_bytes",
    "Swap": "swap_bytes",
    "Private_Clean": "private_bytes",
    "Private_Dirty": "private_bytes",
}
_STACK = re.compile(r"^\[stack(:\d{1,10})?\]$")
_ANONYMOUS = re.compile(r"^\[anon(?::.*)?\]$")


def parse(text):
    """Groups of mappings, the biggest RSS first: name, kind (heap, stack, anonymous, file, kernel), mappings and their bytes."""
    groups, group = {}, None
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            name, kind = _name(head.group(1))
            group = groups.setdefault(name, dict.fromkeys(_KEYS.values(), 0))
            group.update(name=name, kind=kind, mappings=group.get("mappings", 0) + 1)
            continue
        field = _FIELD.match(line)
        if field and group is not None:
            group[_KEYS[field.group(1)]] += int(field.group(2)) * 1024
    return sorted(groups.values(), key=lambda entry: (-entry["rss_bytes"], -entry["size_bytes"], entry["name"]))


def _name(mapped):
    if mapped == "" or _ANONYMOUS.match(mapped):
        return "[anonymous]", "anonymous"
    if mapped == "[heap]":
        return mapped, "heap"
    if _STACK.match(mapped):
        return "[stack]", "stack"
    if mapped.startswith("["):
        return mapped, "kernel"
    return mapped, "file"
