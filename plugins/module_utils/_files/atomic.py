# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a text file, and replace a file so that every reader gets either all of the old content or all of the new."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from typing import Optional, Tuple, Union

# The names of unfinished files begin with this. Programs that read a whole folder, such as sudo and sshd, skip them.
PREFIX = ".lifeline."


class Staged:
    """New content that lies, complete, beside the file that it will replace."""

    def __init__(
        self,
        path: str,
        content: Union[str, bytes],
        mode: Optional[int] = None,
        owner: Optional[Tuple[int, int]] = None,
        durable: bool = True,
        folder_mode: Optional[int] = 0o755,
        name: Optional[str] = None,
    ) -> None:
        """Write `content` into an unfinished file in the folder of `path`.

        A missing folder is created with `folder_mode`, or is an error if that is None.

        `mode` defaults to that of the file to be replaced, or 0644. `owner` is a pair of user and group id, by default
        those of the process. With `durable`, the content is on the disk before the file gets its name, and the name
        before `place` returns; without it, nothing waits for the disk. `name` is the unfinished file's path, for a
        writer that may be killed: the next one removes what was left. By default it is a new one each time.

        Raises OSError, and leaves nothing behind.
        """
        self.path, self._durable = path, durable
        folder = os.path.dirname(path) or "."
        if folder_mode is not None:
            os.makedirs(folder, mode=folder_mode, exist_ok=True)
        if mode is None:
            mode = _mode_of(path)
        if name is None:
            descriptor, self.name = tempfile.mkstemp(prefix=PREFIX, dir=folder)
        else:
            descriptor, self.name = _create(name), name
        try:
            with os.fdopen(descriptor, "wb") as stream:
                if owner is not None:
                    os.fchown(stream.fileno(), *owner)
                os.fchmod(stream.fileno(), mode)
                stream.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
        except BaseException:
            self.discard()
            raise

    def place(self) -> None:
        """Give the new content the file's name. Raises OSError."""
        os.replace(self.name, self.path)
        if self._durable:
            sync_folder(os.path.dirname(self.path) or ".")

    def discard(self) -> None:
        """Remove the unfinished file, if it is still there."""
        with contextlib.suppress(OSError):
            os.unlink(self.name)


def replace(
    path: str,
    content: Union[str, bytes],
    mode: Optional[int] = None,
    owner: Optional[Tuple[int, int]] = None,
    durable: bool = True,
    folder_mode: Optional[int] = 0o755,
    follow_links: bool = False,
    name: Optional[str] = None,
) -> None:
    """Replace a file; see `Staged` for the options. With `follow_links`, a link stays one and its target is replaced.

    Raises OSError, and leaves the old file as it was.
    """
    path = os.path.realpath(path) if follow_links else path
    staged = Staged(path, content, mode, owner, durable, folder_mode, name)
    try:
        staged.place()
    except BaseException:
        staged.discard()
        raise


def read_text(path: str) -> Optional[str]:
    """Return a file's text, with bytes that are not UTF-8 as lone surrogates; None if there is no such file.

    Raises OSError if the file exists and cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems cannot sync a folder. The file itself is on the disk by then.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _mode_of(path: str) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o644


def _create(path: str) -> int:
    # O_EXCL and O_NOFOLLOW: where others may write into the folder, never write through a link of theirs.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
