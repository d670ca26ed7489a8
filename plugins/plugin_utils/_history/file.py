# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of a history: many processes open it at once, and one of them sets it aside if it is damaged.

A process that has it open holds a shared flock on it, which is independent of SQLite's own locks. The file is set aside
under an exclusive flock only: if another process still had the old file open, SQLite would combine the new file with
the old one's log.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError

_LOG, _INDEX = "-wal", "-shm"
# A history names hosts, processes, mounts and packages of a whole fleet: only its owner may read it.
_MODE = 0o600


def resolve(path: str) -> str:
    """Return the absolute path without links. SQLite's other two files are beside that one."""
    return os.path.realpath(os.path.expanduser(path))


@contextmanager
def held(path: str, create: bool) -> Iterator[None]:
    """Hold the file open, so no other process sets it aside in the meantime. Raises HistoryError."""
    descriptor = _lock(path, fcntl.LOCK_SH, create)
    try:
        yield
    finally:
        os.close(descriptor)


def connect(path: str, wait: float, mode: str = "rw") -> sqlite3.Connection:
    """Return a connection in autocommit mode. `wait` is how many seconds it waits for another process's lock."""
    if mode == "ro" and not may_write(path) and not log_size(path):
        # There is no log to read, and this process could not begin one.
        mode += "&immutable=1"
    return sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode={mode}", uri=True, timeout=wait, isolation_level=None)


def log_size(path: str) -> int:
    """Return the size of SQLite's write-ahead log in bytes, 0 if there is none."""
    try:
        return os.stat(path + _LOG).st_size
    except OSError:
        return 0


def may_write(path: str) -> bool:
    """Return whether this process may write the file and make files beside it."""
    return all(os.access(one, os.W_OK) for one in (path, os.path.dirname(path)))


def set_aside(path: str, seen: int | None) -> str | None:
    """Rename the damaged file and SQLite's other two files. `seen` is the inode of the file that was found damaged.

    Return the new name, or None if another process did it first. Raises HistoryError.
    """
    try:
        descriptor = _lock(path, fcntl.LOCK_EX, create=False)
    except HistoryError:
        return None
    try:
        if os.fstat(descriptor).st_ino != seen:
            return None
        name = _unused_name(f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        # The log goes first: SQLite would take an old log beside a new file for the new file's own.
        for suffix in (_LOG, _INDEX, ""):
            if os.path.exists(path + suffix):
                os.rename(path + suffix, name + suffix)
        return name
    except OSError as error:
        raise HistoryError(
            f"the history {path} is damaged and cannot be renamed ({error.strerror}); move it away to begin a new one"
        ) from error
    finally:
        os.close(descriptor)


def inode(path: str) -> int | None:
    """Return the number of the file that has this name now, None if there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _unused_name(name: str) -> str:
    found, number = name, 1
    while os.path.exists(found):
        number += 1
        found = f"{name}-{number}"
    return found


def _lock(path: str, kind: int, create: bool) -> int:
    """Open and lock the file that has this name now, not one that has just lost it. Return the descriptor."""
    while True:
        try:
            descriptor = _lock_once(path, kind, create)
        except OSError as error:
            raise HistoryError(
                f"the history {path} cannot be opened ({error.strerror}){_advice(path, error, create)}"
            ) from error
        if descriptor is not None:
            return descriptor


def _lock_once(path: str, kind: int, create: bool) -> int | None:
    descriptor = _open(path, create)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HistoryError(f"the history {path} is not a regular file; name a file, or one that does not exist yet")
        fcntl.flock(descriptor, kind)
        if os.fstat(descriptor).st_ino == inode(path):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _open(path: str, create: bool) -> int:
    if not create:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    # A history of an earlier release was readable by everyone. SQLite gives new files beside it the mode of the first.
    for suffix in ("", _LOG, _INDEX):
        with contextlib.suppress(PermissionError, FileNotFoundError):
            _restrict(path + suffix)
    return descriptor


def _restrict(path: str) -> None:
    """Let only the owner read and write a regular file. A link is left alone.

    The file is not opened: to close it would release the locks that this process holds on it through SQLite. Raises
    OSError.
    """
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & ~_MODE:
        os.chmod(path, _MODE)


def _advice(path: str, error: OSError, create: bool) -> str:
    if isinstance(error, FileNotFoundError) and not create:
        return "; nothing has been recorded there yet"
    if isinstance(error, IsADirectoryError):
        return f"; name a file in it, such as {os.path.join(path, 'history.db')}"
    user = os.environ.get("USER") or "this user"
    return f"; name a file that {user} may write, in a folder that it may write to"
