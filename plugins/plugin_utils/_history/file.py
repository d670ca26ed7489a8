# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that a history is in: opened by many at once, and set aside when it is damaged.

Whoever has it open holds a shared lock (flock) on it, which SQLite's own locks don't know of. It is set aside only under an exclusive
one: SQLite would bring a new file and the old one's log together if somebody still had the old one open.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
import urllib.parse
from contextlib import contextmanager

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError

_COMPANIONS = ("-wal", "-shm")


def resolve(path):
    """The file itself, whatever links lead to it: beside that one lie SQLite's companions."""
    return os.path.realpath(os.path.expanduser(path))


@contextmanager
def held(path, create):
    """Hold the file open, so that nobody sets it aside meanwhile. Raises HistoryError."""
    descriptor = _lock(path, fcntl.LOCK_SH, create)
    try:
        yield
    finally:
        os.close(descriptor)


def connect(path, wait, mode="rw"):
    """A connection in autocommit mode. V(wait) is how many seconds another's lock is waited for."""
    if mode == "ro" and not may_write(path) and not log_size(path):
        # There is no log to be read, and it could not be begun.
        mode += "&immutable=1"
    return sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode={mode}", uri=True, timeout=wait, isolation_level=None)


def log_size(path):
    try:
        return os.stat(path + _COMPANIONS[0]).st_size
    except OSError:
        return 0


def may_write(path):
    return all(os.access(one, os.W_OK) for one in (path, os.path.dirname(path)))


def set_aside(path, seen):
    """Give the damaged file another name, and its companions. V(seen) is the inode of the file that was found damaged.

    Returns the new name, or None if another process was first.
    """
    try:
        descriptor = _lock(path, fcntl.LOCK_EX, create=False)
    except HistoryError:
        return None
    try:
        if os.fstat(descriptor).st_ino != seen:
            return None
        name = aside = "%s.damaged-%s" % (path, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        number = 1
        while os.path.exists(name):
            number += 1
            name = f"{aside}-{number}"
        # The log first: a new file beside an old log would be taken for its own.
        for companion in (*_COMPANIONS, ""):
            if os.path.exists(path + companion):
                os.rename(path + companion, name + companion)
        return name
    except OSError as error:
        raise HistoryError(
            f"the history {path} is damaged and can't be set aside ({error.strerror}): move it away, and a new one is begun"
        ) from error
    finally:
        os.close(descriptor)


def inode(path):
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _lock(path, kind, create):
    """Open and lock the file that has this name now, not one that has just lost it."""
    while True:
        try:
            descriptor = _lock_once(path, kind, create)
        except OSError as error:
            raise HistoryError(
                f"the history {path} can't be opened ({error.strerror}){_advice(path, error, create)}"
            ) from error
        if descriptor is not None:
            return descriptor


def _lock_once(path, kind, create):
    descriptor = _open(path, create)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HistoryError(f"the history {path} is no file: name one, or one that isn't there yet")
        fcntl.flock(descriptor, kind)
        if os.fstat(descriptor).st_ino == inode(path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _open(path, create):
    if not create:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _advice(path, error, create):
    if isinstance(error, FileNotFoundError) and not create:
        return ": nothing has been recorded there yet"
    if isinstance(error, IsADirectoryError):
        return f": name a file in it, such as {os.path.join(path, 'history.db')}"
    return ": name a file that %s may write, in a folder that it may write to" % (os.environ.get("USER") or "this user")
