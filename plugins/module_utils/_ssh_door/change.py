# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the previous state of SSH on the disk until a change is confirmed. The timer or the next boot restores it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import secrets
import shutil
import tempfile
from typing import Dict, Iterable, Iterator, Mapping, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import restore_units

ARMED = restore_units.STATE + "/armed"
FIREWALL = restore_units.STATE + "/firewall.nft"
LISTING = restore_units.STATE + "/firewall.listing"


class DoorError(Exception):
    """A step was refused or failed. Nothing has changed, or the previous state is restored."""


class Busy(Exception):
    """Another run is changing how SSH is reached."""


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Hold the lock that only one run at a time can hold; the restore script takes it as well. Raises Busy."""
    # Not readable for others: a user that can open the file could hold the lock for ever.
    descriptor = os.open(restore_units.LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w") as stream:
        os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise Busy(
                    "another run is changing how SSH is reached at this moment; try again in a minute"
                ) from error
            raise
        yield


class Change:
    """New files and a new firewall table, together with the previous ones.

    `files` maps paths to texts, None for no file. `firewall` is what nft will load, None to leave it alone, and
    `previous` what restores the present table. `unit` is the service to reload, or empty. `token` confirms the change.
    """

    def __init__(self, files: Mapping[str, Optional[str]], firewall: Optional[str], previous: str, unit: str) -> None:
        self.files, self.firewall, self.previous, self.unit = files, firewall, previous, unit
        self.token = secrets.token_hex(8)
        self._new: Dict[str, atomic.Staged] = {}

    def prepare(self, connection: str) -> None:
        """Write everything that a full disk could refuse. From here on, the next boot restores the previous state.

        Raises OSError, and leaves nothing behind.
        """
        os.makedirs(restore_units.STATE, mode=0o700, exist_ok=True)
        _remove_stale({restore_units.STATE, *map(os.path.dirname, self.files)})
        folder = tempfile.mkdtemp(prefix="arming.", dir=restore_units.STATE)
        try:
            self._keep_present(folder)
            _create(os.path.join(folder, "unit"), self.unit + "\n")
            _create(os.path.join(folder, "token"), self.token + "\n")
            _create(os.path.join(folder, "connection"), connection + "\n")
            _create(os.path.join(folder, "mark"), f"{0:20}\n")
            if self.firewall is not None:
                _create(os.path.join(folder, "previous.nft"), self.previous)
                _create(os.path.join(folder, "firewall.nft"), self.firewall)
            atomic.sync_folder(folder)
            os.rename(folder, ARMED)
            folder = ARMED
            atomic.sync_folder(restore_units.STATE)
        except OSError:
            self.discard()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _keep_present(self, folder: str) -> None:
        """Copy the present files into `folder`, with a manifest for the restore script, and stage the new ones."""
        manifest = []
        for number, (path, text) in enumerate(sorted(self.files.items())):
            present = atomic.read_text(path)
            if present is None:
                manifest.append(f"gone - {path}\n")
            else:
                manifest.append(f"keep {number} {path}\n")
                _create(os.path.join(folder, f"old.{number}"), present, os.stat(path).st_mode & 0o7777)
            if text is not None:
                self._new[path] = atomic.Staged(path, text)
        _create(os.path.join(folder, "manifest"), "".join(manifest))

    def replace(self) -> None:
        """Put the new files in place. Raises OSError."""
        for path, text in sorted(self.files.items()):
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                atomic.sync_folder(os.path.dirname(path))
            else:
                self._new[path].place()
                del self._new[path]

    def discard(self) -> None:
        """Remove the new files that were not put in place."""
        for staged in self._new.values():
            staged.discard()
        self._new = {}


def noted(name: str) -> Optional[str]:
    """Return what was noted under a name about the change that waits to be confirmed; None if no change waits."""
    text = atomic.read_text(os.path.join(ARMED, name))
    return None if text is None else text.strip()


def note_mark(mark: int) -> None:
    """Note the clock tick after which a connection is new. It needs no new space on the disk."""
    with open(os.path.join(ARMED, "mark"), "r+", encoding="utf-8") as stream:
        stream.write(f"{mark:20}\n")
        stream.flush()
        os.fsync(stream.fileno())


def forget_armed() -> None:
    """Keep the change: nothing restores the previous state from here on."""
    kept = tempfile.mkdtemp(prefix="confirmed.", dir=restore_units.STATE)
    os.rename(ARMED, os.path.join(kept, "armed"))
    atomic.sync_folder(restore_units.STATE)
    shutil.rmtree(kept, ignore_errors=True)


def keep_firewall() -> None:
    """Keep the table of the change that waits to be confirmed for the next boot."""
    new = os.path.join(ARMED, "firewall.nft")
    text = atomic.read_text(new)
    if text is None:
        return
    if text.rstrip().endswith("}"):
        os.rename(new, FIREWALL)
    else:
        for path in (FIREWALL, LISTING):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    atomic.sync_folder(restore_units.STATE)


def _remove_stale(folders: Iterable[str]) -> None:
    """Remove what a run that was killed has left."""
    for name in os.listdir(restore_units.STATE):
        if name.startswith(("arming.", "confirmed.")):
            shutil.rmtree(os.path.join(restore_units.STATE, name), ignore_errors=True)
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), atomic.PREFIX + "*")):
            os.unlink(path)


def _create(path: str, text: str, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
        os.fchmod(stream.fileno(), mode)
