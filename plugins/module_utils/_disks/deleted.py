# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are deleted but held open: space that df counts and du can't find."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import unescape

_HELD = re.compile(
    r"([0-9]{1,20}:[0-9]{1,20}|-) ([0-9]{1,20}|-) ([0-9]{1,10}|-) ([0-9]{1,10}|-) ([^ ]*) ([^ ]*) ([^ ]*)\Z"
)
_UNREADABLE = re.compile(r"unreadable ([0-9]{1,10})\Z")


def parse(text):
    """The files, those that hold most first.

    The source C(deleted) has a line for each holder of a file: device and inode (C(DEV:INO)), bytes, pid, descriptor,
    name of the process, mount point and path, with blanks escaped as in mountinfo, and C(-) for what there is not;
    and a line C(unreadable N) with how many processes would not be read.
    """
    files = {}
    unreadable = 0
    for line in (text or "").split("\n"):
        refused = _UNREADABLE.match(line)
        held = _HELD.match(line)
        if refused:
            unreadable = int(refused.group(1))
        elif held:
            identity, size, pid, descriptor, name, mount, path = held.groups()
            # What has no number of its own, such as the file under a loop device, is told apart by its path.
            entry = files.setdefault(
                identity if identity != "-" else path,
                {"bytes": None, "path": unescape(path), "mount": unescape(mount), "holders": []},
            )
            if size != "-":
                entry["bytes"] = int(size)
            holder = {
                "pid": None if pid == "-" else int(pid),
                "name": unescape(name),
                "fd": None if descriptor == "-" else int(descriptor),
            }
            if holder not in entry["holders"]:
                entry["holders"].append(holder)
    return {
        "files": sorted(files.values(), key=lambda entry: (-(entry["bytes"] or 0), entry["mount"], entry["path"])),
        "total_bytes": sum(entry["bytes"] or 0 for entry in files.values()),
        "unreadable_processes": unreadable,
    }
