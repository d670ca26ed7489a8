# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep copies of files of others before they are replaced, with owner, mode and link, and restore them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from typing import Any, Dict, List

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic

_MANIFEST = "manifest.json"


class AsideError(Exception):
    """A file cannot be copied or restored; the text names it."""


class Aside:
    """A folder of root with copies of files that were replaced, and a manifest of their previous state.

    `entries` maps the path of each file to its kind (`file`, `link`, or `absent`), mode, owner and copy.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        text = atomic.read_text(os.path.join(folder, _MANIFEST))
        try:
            self.entries: Dict[str, Dict[str, Any]] = {} if text is None else json.loads(text)
        except ValueError as error:
            raise AsideError(f"{folder}/{_MANIFEST} is damaged ({error}); restore it from a backup") from error

    def keep(self, path: str, absent: bool = False) -> None:
        """Copy a file or a link, unless it was kept before: the first state counts. Raises AsideError.

        With `absent`, a file that does not exist is recorded as well, and is removed when all is put back.
        """
        if path in self.entries:
            return
        try:
            if absent and not os.path.lexists(path):
                self.entries[path] = {"kind": "absent"}
                self._save()
                return
            status = os.lstat(path)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            entry: Dict[str, Any] = {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)}
            if stat.S_ISLNK(status.st_mode):
                entry.update(kind="link", target=os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                entry.update(kind="file", copy=f"{len(self.entries)}-{os.path.basename(path)}")
                with open(path, "rb") as stream:
                    atomic.replace(os.path.join(self.folder, entry["copy"]), stream.read(), 0o600)
            else:
                raise AsideError(f"{path} is neither a file nor a link; move it away")
            # The manifest comes last: it never names a copy that is not there.
            self.entries[path] = entry
            self._save()
        except OSError as error:
            raise AsideError(f"{path} cannot be kept aside: {error.strerror}") from error

    def restore(self) -> List[str]:
        """Restore all files, and forget them; return their paths. Raises AsideError."""
        restored = sorted(self.entries)
        for path in restored:
            entry = self.entries[path]
            try:
                self._put_back(path, entry)
            except OSError as error:
                raise AsideError(f"{path} cannot be put back from {self.folder}: {error.strerror}") from error
        shutil.rmtree(self.folder, ignore_errors=True)
        self.entries = {}
        return restored

    def _put_back(self, path: str, entry: Dict[str, Any]) -> None:
        if entry["kind"] == "absent":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        if entry["kind"] == "link":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.symlink(entry["target"], path)
            os.lchown(path, entry["uid"], entry["gid"])
            return
        with open(os.path.join(self.folder, entry["copy"]), "rb") as stream:
            content = stream.read()
        if os.path.islink(path):
            os.unlink(path)
        atomic.replace(path, content, entry["mode"], (entry["uid"], entry["gid"]))

    def _save(self) -> None:
        text = json.dumps(self.entries, indent=1, sort_keys=True) + "\n"
        atomic.replace(os.path.join(self.folder, _MANIFEST), text, 0o600, folder_mode=0o700)
