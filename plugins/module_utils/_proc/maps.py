# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse /proc/PID/smaps: the memory of a process by what is mapped, as `pmap` groups it."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import MappedGroup
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape

_HEAD = re.compile(r"^[0-9a-f]{1,16}-[0-9a-f]{1,16} \S{4} [0-9a-f]{1,16} [0-9a-f]{1,8}:[0-9a-f]{1,8} \d{1,20} *(.*)$")
_FIELD = re.compile(r"^(Size|Rss|Pss|Swap|Private_Clean|Private_Dirty): +(\d{1,15}) kB$")
_STACK = re.compile(r"^\[stack(:\d{1,10})?\]$")
_ANONYMOUS = re.compile(r"^\[anon(?::.*)?\]$")


def parse(text: str) -> List[MappedGroup]:
    """Return groups of mappings, the largest resident set first.

    Their kinds are heap, stack, anonymous, file and kernel.
    """
    groups: Dict[str, MappedGroup] = {}
    group = None
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            name, kind = _name(head.group(1))
            group = groups.setdefault(name, _empty(name, kind))
            group["mappings"] += 1
            continue
        field = _FIELD.match(line)
        if field and group is not None:
            _add(group, field.group(1), int(field.group(2)) * 1024)
    return sorted(groups.values(), key=lambda entry: (-entry["rss_bytes"], -entry["size_bytes"], entry["name"]))


def _empty(name: str, kind: str) -> MappedGroup:
    return MappedGroup(
        name=name,
        kind=kind,
        mappings=0,
        size_bytes=0,
        rss_bytes=0,
        pss_bytes=0,
        swap_bytes=0,
        private_bytes=0,
    )


def _add(group: MappedGroup, field: str, size: int) -> None:
    if field == "Size":
        group["size_bytes"] += size
    elif field == "Rss":
        group["rss_bytes"] += size
    elif field == "Pss":
        group["pss_bytes"] += size
    elif field == "Swap":
        group["swap_bytes"] += size
    else:
        group["private_bytes"] += size


def _name(mapped: str) -> Tuple[str, str]:
    if mapped == "" or _ANONYMOUS.match(mapped):
        return "[anonymous]", "anonymous"
    if mapped == "[heap]":
        return mapped, "heap"
    if _STACK.match(mapped):
        return "[stack]", "stack"
    if mapped.startswith("["):
        return escape(mapped), "kernel"
    return escape(mapped), "file"
