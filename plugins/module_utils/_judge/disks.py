# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the file systems of a host: space, inodes, and those that answer with errors or not at all."""

from __future__ import annotations

import re
from typing import Mapping, Optional, Set, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Disks, FileSystem
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text

_MIB = 1 << 20
# Each login reads from these, so it hangs or fails if one of them does.
_LOGINS_NEED = ("/", "/etc", "/home", "/root", "/usr", "/var", "/var/log", "/run")
# Firmware reads it, its vendor filled it, and nothing on a running host writes there.
_FIRMWARE = ("/boot/efi", "/efi", "/boot/firmware")
# Memory of single users or of programs that use it: the host itself needs no space there.
_OF_PROGRAMS = ("/dev/shm", "/run/lock", "/run/user")
_BACKUP = re.compile(r"/[^/]*(?:backup|bacula|borg|restic|snapshot)", re.IGNORECASE)
# These have a fixed number of inodes. The others, and network shares, may create inodes from free space.
_OWN_INODES = ("ext2", "ext3", "ext4", "tmpfs", "f2fs", "ufs")

# Type, size and use, which are equal for two names of one space.
_Space = Tuple[str, Optional[int], Optional[int]]


def judge(found: Findings, disks: Disks, errors: Mapping[str, int]) -> None:
    """Judge the file systems. `errors` are the errors that ext4 has met, by device."""
    judged: Set[_Space] = set()
    for disk in disks["filesystems"]:
        mount = disk["mount"]
        if disk["hung"]:
            _hung(found, disk)
        elif disk["failed"]:
            _failed(found, disk)
        if disk["read_only_by_error"] and not disk["always_full"]:
            _read_only(found, mount)
        space = disk["type"], disk["size_bytes"], disk["used_bytes"]
        # Shares of one disk of the server, and the disks of Windows in WSL, show the same space under several names.
        again = disk["kind"] == "network" and space in judged
        if not (disk["always_full"] or disk["read_only"] or mount in _FIRMWARE or again):
            judged.add(space)
            _full(found, disk)
    for device, count in sorted(errors.items()):
        found.hold(
            "disk_errors",
            count,
            f"ext4 has met {count} error{'' if count == 1 else 's'} on {device}: check it with fsck",
            subject=device,
        )


def _hung(found: Findings, disk: FileSystem) -> None:
    mount = disk["mount"]
    found.hold("disks_hung", 1, f"{mount} doesn't answer ({disk['type']})", subject=mount)
    if mount in _LOGINS_NEED:
        found.hold("login_disks_hung", 1, f"each login waits for {mount}, which doesn't answer", subject=mount)


def _failed(found: Findings, disk: FileSystem) -> None:
    mount = disk["mount"]
    found.hold("disks_failed", 1, f"{mount} answers with an error ({disk['type']})", subject=mount)
    if mount in _LOGINS_NEED:
        found.hold("login_disks_hung", 1, f"logins need {mount}, which answers with an error", subject=mount)


def _read_only(found: Findings, mount: str) -> None:
    if mount == "/":
        found.hold("root_read_only", 1, "the root file system has become read-only", subject=mount)
    else:
        found.hold(
            "disks_read_only",
            1,
            f"{mount} has become read-only: the kernel met an error",
            subject=mount,
            at_most="warning" if mount in _FIRMWARE else "critical",
        )


def _full(found: Findings, disk: FileSystem) -> None:
    mount, left = disk["mount"], disk["available_bytes"]
    at_most = "warning" if _is_dispensable(disk) else "critical"
    before = len(found.found)
    found.hold(
        "disk_used_percent",
        disk["used_percent"],
        f"{mount} is {number_text(disk['used_percent'])} % full, {size_text(left)} left",
        subject=mount,
        left=None if left is None else left / _MIB,
        at_most=at_most,
    )
    is_same_space = len(found.found) > before and disk["type"] not in _OWN_INODES
    if not (disk["inodes_from_space"] or is_same_space):
        found.hold(
            "inodes_used_percent",
            disk["inodes_used_percent"],
            f"{mount} has used {number_text(disk['inodes_used_percent'])} % of its inodes",
            subject=mount,
            left=disk["inodes_available"],
            at_most=at_most,
        )


def _is_dispensable(disk: FileSystem) -> bool:
    """Return whether a full file system stops what writes to it, not the host: a share, backups, the next kernel."""
    mount = disk["mount"] + "/"
    places = ("/boot", "/media", *_OF_PROGRAMS)
    return (
        disk["kind"] == "network"
        or _BACKUP.search(mount) is not None
        or mount.startswith(tuple(p + "/" for p in places))
    )
