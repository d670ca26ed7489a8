# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of how SSH is reached that undoes itself unless it is confirmed: by a timer, and by a boot."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import os
import secrets
import shutil
import tempfile

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import restore_units as where

ARMED = where.STATE + "/armed"
RESTORED = where.STATE + "/restored"
FIREWALL = where.STATE + "/firewall.nft"
LISTING = where.STATE + "/firewall.listing"


class DoorError(Exception):
    """Something can't be done. Nothing has been changed then, or all of it is put back."""


class Busy(Exception):
    """Another run is at it."""


@contextlib.contextmanager
def lock():
    """One run at a time. The way back takes the same lock."""
    with open(where.LOCK, "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise Busy("another run is changing how SSH is reached at this moment") from error
            raise
        yield


class Change:
    """New files, a new firewall, and how to get from them back to the old ones."""

    def __init__(self, files, firewall, previous, unit):
        """V(files) are texts by path, None for no file. V(firewall) is what nft is to load, if anything, V(previous) what it has loaded.

        V(unit) is the service that has to read its files again, or empty.
        """
        self.files, self.firewall, self.previous, self.unit = files, firewall, previous, unit
        self.token = secrets.token_hex(8)
        self.new = {}

    def prepare(self, connection):
        """Write all that a full disk could refuse, and have the next boot put back what is to be replaced."""
        os.makedirs(where.STATE, mode=0o700, exist_ok=True)
        _remove_stale({where.STATE, *map(os.path.dirname, self.files)})
        folder = tempfile.mkdtemp(prefix="arming.", dir=where.STATE)
        try:
            manifest = []
            for number, (path, text) in enumerate(sorted(self.files.items())):
                present = atomic.read_text(path)
                if present is None:
                    manifest.append(f"gone - {path}")
                else:
                    manifest.append(f"keep {number} {path}")
                    mode = os.stat(path).st_mode & 0o7777
                    _create(os.path.join(folder, f"old.{number}"), present, mode)
                if text is not None:
                    self._stage(path, text)
            _create(os.path.join(folder, "manifest"), "".join(line + "\n" for line in manifest))
            _create(os.path.join(folder, "unit"), self.unit + "\n")
            _create(os.path.join(folder, "token"), self.token + "\n")
            _create(os.path.join(folder, "connection"), connection + "\n")
            _create(os.path.join(folder, "mark"), f"{int(0):20}\n")
            if self.firewall is not None:
                _create(os.path.join(folder, "previous.nft"), self.previous)
                _create(os.path.join(folder, "firewall.nft"), self.firewall)
            atomic.sync_folder(folder)
            os.rename(folder, ARMED)
            folder = ARMED
            atomic.sync_folder(where.STATE)
        except OSError:
            self.discard()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _stage(self, path, text):
        self.new[path] = atomic.Staged(path, text)

    def replace(self):
        """Put the new files in place."""
        for path, text in sorted(self.files.items()):
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                atomic.sync_folder(os.path.dirname(path))
            else:
                self.new.pop(path).place()

    def discard(self):
        """Remove new files that didn't come into place."""
        for staged in self.new.values():
            staged.discard()
        self.new = {}


def noted(name):
    """What was noted under V(name) of the change that waits to be confirmed; None where none waits."""
    text = atomic.read_text(os.path.join(ARMED, name))
    return None if text is None else text.strip()


def note_mark(mark):
    """Note since when connections are new. The room for it was written before."""
    with open(os.path.join(ARMED, "mark"), "r+", encoding="utf-8") as stream:
        stream.write(f"{int(mark):20}\n")
        stream.flush()
        os.fsync(stream.fileno())


def forget_armed():
    """The change is there to stay: from here on nothing puts it back."""
    kept = tempfile.mkdtemp(prefix="confirmed.", dir=where.STATE)
    os.rename(ARMED, os.path.join(kept, "armed"))
    atomic.sync_folder(where.STATE)
    shutil.rmtree(kept, ignore_errors=True)


def keep_firewall():
    """Have boots load the firewall of the change that waits to be confirmed."""
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
    atomic.sync_folder(where.STATE)


def _remove_stale(folders):
    """What a run that was killed has left."""
    for name in os.listdir(where.STATE):
        if name.startswith(("arming.", "confirmed.")):
            shutil.rmtree(os.path.join(where.STATE, name), ignore_errors=True)
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), atomic.PREFIX + "*")):
            os.unlink(path)


def _create(path, text, mode=0o600):
    _fill(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), text, mode)


def _fill(descriptor, text, mode):
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
        os.fchmod(stream.fileno(), mode)
