# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write below folders of other users without giving them the rights of root.

A user who can change a folder can replace everything below it by a link to a file that only root may write. So root
must act as that user there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from typing import Iterator, List, NamedTuple, Optional

# The number of links that the kernel follows.
_MOST_LINKS = 40


class User(NamedTuple):
    """A user with the groups to act with."""

    uid: int
    gid: int
    groups: List[int]


def user_of(uid: int, gid: int) -> User:
    """Return a user with the groups of the passwd database, or with `gid` only if the user has no entry there."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, gid, [gid])
    return User(uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid))


def who_controls(path: str, shared: Optional[User] = None) -> Optional[User]:
    """Return the first user other than root who can change what an absolute path leads to, or None if only root can.

    Follows symbolic links as the kernel would. `shared` is returned for a folder of root in which other users can
    create or replace the next part. Raises OSError for a loop of links, and PermissionError for such a folder if
    `shared` is None.
    """
    waiting = path.split("/")[::-1]
    current, links, sticky = "/", 0, False
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        current = os.path.normpath(os.path.join(current, part))
        try:
            found = os.lstat(current)
        except FileNotFoundError:
            return _shared(shared, os.path.dirname(current)) if sticky else None
        if found.st_uid != 0:
            return user_of(found.st_uid, found.st_gid)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(current)
            current = "/" if target.startswith("/") else os.path.dirname(current)
            waiting += target.split("/")[::-1]
        elif _is_shared(found) and not found.st_mode & stat.S_ISVTX:
            return _shared(shared, current)
        # In a sticky folder such as /tmp, other users can create names, but not replace those of root.
        sticky = _is_shared(found)
    return None


def _shared(user: Optional[User], folder: str) -> User:
    if user is None:
        raise PermissionError(errno.EPERM, "other users can write to this folder", folder)
    return user


def _is_shared(found: os.stat_result) -> bool:
    by_group = found.st_gid != 0 and found.st_mode & stat.S_IWGRP
    return stat.S_ISDIR(found.st_mode) and bool(by_group or found.st_mode & stat.S_IWOTH)


@contextlib.contextmanager
def acting_as(user: Optional[User]) -> Iterator[None]:
    """Drop to the rights of `user` within the context. Do nothing for None, or if the process is not root."""
    if user is None or user.uid == 0 or os.geteuid() != 0:
        yield
        return
    gid, groups = os.getegid(), os.getgroups()
    os.setgroups(user.groups)
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def open_folder(path: str) -> int:
    """Return a descriptor of a folder. A link in its place is only followed if it is root's or this user's own.

    Paths below /proc/self/fd/DESCRIPTOR stay in that folder, whatever other users do to its name. Raises OSError.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY
    found = os.lstat(path)
    if not stat.S_ISLNK(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        flags |= os.O_NOFOLLOW
    return os.open(path, flags)
