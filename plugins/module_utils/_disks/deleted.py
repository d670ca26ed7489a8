# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse deleted files that are still open: space that df counts and du cannot find."""

from __future__ import annotations

import re
from typing import Dict, Optional, Set, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    DeletedFile,
    DeletedFiles,
    DeletedHolder,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import unescape

_HELD = re.compile(
    r"([0-9]{1,20}:[0-9]{1,20}|-) ([0-9]{1,20}|-) ([0-9]{1,10}|-) ([0-9]{1,10}|-) ([^ ]*) ([^ ]*) ([^ ]*)\Z"
)
_UNREADABLE = re.compile(r"unreadable ([0-9]{1,10})\Z")


def parse(text: Optional[str]) -> DeletedFiles:
    """Return the deleted files, those that hold most first.

    The source `deleted` has a line for each holder of a file: device and inode (DEV:INO), bytes, process id,
    descriptor, name of the process, mount point and path, with blanks escaped as in mountinfo, and `-` for what there
    is not; and a line `unreadable N` with the number of processes that could not be read.
    """
    files: Dict[str, DeletedFile] = {}
    known: Set[Tuple[str, ...]] = set()
    unreadable = 0
    for line in (text or "").split("\n"):
        refused = _UNREADABLE.match(line)
        held = _HELD.match(line)
        if refused:
            unreadable = int(refused.group(1))
        elif held:
            identity, size, pid, descriptor, name, mount, path = held.groups()
            # A file that no number identifies, such as that of a loop device, is identified by its path.
            key = identity if identity != "-" else path
            entry = files.setdefault(key, {"bytes": None, "path": _shown(path), "mount": _shown(mount), "holders": []})
            if size != "-":
                entry["bytes"] = int(size)
            if (key, pid, descriptor, name) not in known:
                known.add((key, pid, descriptor, name))
                entry["holders"].append(_holder(pid, descriptor, name))
    return {
        "files": sorted(files.values(), key=lambda entry: (-(entry["bytes"] or 0), entry["mount"], entry["path"])),
        "total_bytes": sum(entry["bytes"] or 0 for entry in files.values()),
        "unreadable_processes": unreadable,
    }


def _holder(pid: str, descriptor: str, name: str) -> DeletedHolder:
    return {
        "pid": None if pid == "-" else int(pid),
        "name": _shown(name),
        "fd": None if descriptor == "-" else int(descriptor),
    }


def _shown(field: str) -> str:
    return escape(unescape(field))
