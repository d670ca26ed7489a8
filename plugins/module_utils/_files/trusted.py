# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that no other user could redirect what is written to a path.

A user that owns a folder of the path can replace the rest of it by a link to a file of root.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from typing import BinaryIO, Iterator, List, Optional

# Groups below this number are the system's. Debian lets members of `staff` write to /usr/local, Ubuntu lets `syslog`
# write to /var/log.
_FIRST_GROUP_OF_USERS = 1000
_MOST_LINKS = 40


def distrust(path: str) -> Optional[str]:
    """Return why another user could redirect what this process writes to an absolute path, or None.

    Folders and links that exist must belong to root or to the user of this process, and no user may add or rename files
    there. What does not exist yet is not checked: only the owner of its folder can make it.
    """
    parts = _parts(path)
    place, links = "/", 0
    reason = _reason(place)
    while reason is None and parts:
        shared = _is_shared(place)
        place = os.path.join(place, parts.pop(0))
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            # In a folder such as /tmp, another user may make it first.
            return f"every user can write to {os.path.dirname(place)}" if shared else None
        except OSError as error:
            return f"{place} cannot be read: {error.strerror}"
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return f"{place} has too many links"
            reason = _owner(place, status)
            target = os.path.join(os.path.dirname(place), os.readlink(place))
            place, parts = "/", _parts(target) + parts
        elif parts or shared or stat.S_ISDIR(status.st_mode):
            reason = _reason(place)
    return reason


@contextlib.contextmanager
def open_regular(path: str) -> Iterator[BinaryIO]:
    """Open a regular file for reading, without blocking on a FIFO. Raises OSError for everything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        with open(descriptor, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(descriptor)


def _parts(path: str) -> List[str]:
    return [part for part in os.path.normpath(path).split("/") if part]


def _reason(place: str) -> Optional[str]:
    status = os.lstat(place)
    if not stat.S_ISDIR(status.st_mode):
        return _owner(place, status)
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        return f"every user can write to {place}"
    if status.st_mode & stat.S_IWGRP and status.st_gid >= _FIRST_GROUP_OF_USERS and status.st_gid != os.getegid():
        return f"users of group {status.st_gid} can write to {place}"
    return _owner(place, status)


def _owner(place: str, status: os.stat_result) -> Optional[str]:
    if status.st_uid in (0, os.geteuid()):
        return None
    try:
        name = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        name = str(status.st_uid)
    return f"{place} belongs to user {name}"


def _is_shared(place: str) -> bool:
    return bool(os.lstat(place).st_mode & stat.S_IWOTH)
