# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace files that belong together: either all of them, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from typing import Dict, List, Optional, Sequence, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic, trusted


class FilesError(Exception):
    """A file cannot be read or written; the text says which and why. All files are as they were, if it says no more."""


class File:
    """A file as it is and as it will be.

    `command` checks the new content: each `%s` in it becomes the path of a file with it. `secret` content is not shown
    in the diff. Raises FilesError if the path is relative, if another user could redirect what is written
    there, or if the present file cannot be read.
    """

    def __init__(
        self,
        path: str,
        content: Union[str, bytes],
        mode: int = 0o644,
        command: Sequence[str] = (),
        secret: bool = False,
    ) -> None:
        self.path, self.mode, self._command, self._secret = path, mode, command, secret
        self.content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        self.present: Optional[bytes] = None
        self._status: Optional[os.stat_result] = None
        if not os.path.isabs(path):
            raise FilesError(f"relative path ({path!r}); give an absolute one")
        reason = trusted.distrust(path)
        if reason:
            raise FilesError(f"{path} is not safe to write: {reason}; use a folder that belongs to root alone")
        try:
            with trusted.open_regular(path) as stream:
                self.present, self._status = stream.read(), os.fstat(stream.fileno())
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FilesError(f"{path} cannot be read: {error.strerror}") from error

    @property
    def changed(self) -> bool:
        """Return whether the content, the mode or the owner will change."""
        if self._status is None or self.present != self.content:
            return True
        return (stat.S_IMODE(self._status.st_mode), self._status.st_uid) != (self.mode, os.geteuid())

    def refused(self, commands: Commands) -> Optional[str]:
        """Return why the program that reads the file refuses its new content, or None."""
        if not self._command or self.present == self.content:
            return None
        stage = tempfile.mkdtemp(prefix="files.", dir=commands.tmpdir)
        try:
            staged = os.path.join(stage, os.path.basename(self.path))
            atomic.replace(staged, self.content, self.mode, durable=False)
            code, out, err = commands.run(*(word.replace("%s", staged) for word in self._command))
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return (out + err).replace(staged, self.path).strip() or f"exit status {code}" if code else None

    def staged(self) -> atomic.Staged:
        """Write the new content beside the file. Raises OSError."""
        return atomic.Staged(self.path, self.content, self.mode)

    def kept(self) -> Optional[atomic.Staged]:
        """Write the present content beside the file, None if there is no file. Raises OSError."""
        if self.present is None or self._status is None:
            return None
        status = self._status
        return atomic.Staged(self.path, self.present, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))

    def diff(self) -> Dict[str, str]:
        """Return what changes, as Ansible shows it."""
        before, after = (self.present or b"").decode("utf-8", "replace"), self.content.decode("utf-8", "replace")
        if self._secret:
            before, after = "", "(secret)\n"
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}


def replace(files: Sequence[File]) -> None:
    """Replace all files, or none of them. Raises FilesError.

    The new contents and copies of the present ones are written first, where a full disk shows. After that, files are
    only renamed: if that fails for one, the copies of the others are restored.
    """
    staged: List[atomic.Staged] = []
    kept: List[Optional[atomic.Staged]] = []
    placed = 0
    path = ""
    try:
        for file in files:
            path = file.path
            staged.append(file.staged())
            kept.append(file.kept())
        for new in staged:
            path = new.path
            new.place()
            placed += 1
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        # The file of the failure may have its new content already, if only its folder could not be synced.
        lost = _put_back(files[: placed + 1], kept[: placed + 1]) if len(kept) == len(files) else []
        if lost:
            message += f"; these could not be restored and have their new content: {', '.join(lost)}"
        raise FilesError(message) from error
    finally:
        for one in [*staged, *kept]:
            if one is not None:
                one.discard()


def _put_back(files: Sequence[File], kept: Sequence[Optional[atomic.Staged]]) -> List[str]:
    """Restore files; return those that could not be restored."""
    lost = []
    for file, old in zip(files, kept):
        try:
            if old is not None:
                old.place()
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.path)
        except OSError:
            if _read(file.path) != file.present:
                lost.append(file.path)
    return lost


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return None
