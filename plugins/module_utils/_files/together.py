# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong together: looked at first, then written, all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile

from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic


class File:
    """One file, as it is and as it is to be."""

    def __init__(self, module, wanted):
        self.module, self.new = module, None
        self.path, self.command, self.secret = wanted["path"], wanted["validate"], wanted["secret"]
        self.content = wanted["content"].encode("utf-8", "surrogateescape")
        if not os.path.isabs(self.path):
            module.fail_json(msg=f"the path {self.path!r} must be absolute")
        try:
            self.mode = int(wanted["mode"], 8)
        except ValueError:
            module.fail_json(msg=f"{self.path}: the mode {wanted['mode']!r} must be octal digits, such as '0644'")
        try:
            with open(self.path, "rb") as stream:
                self.present = stream.read()
                status = os.fstat(stream.fileno())
        except FileNotFoundError:
            self.present = None
        except OSError as error:
            module.fail_json(msg=f"{self.path} can't be read: {error.strerror}")
        self.changed = self.present != self.content or (status.st_mode & 0o7777, status.st_uid) != (
            self.mode,
            os.geteuid(),
        )

    def validate(self):
        """What the program that will read the text has against it, or None."""
        if not self.command or self.present == self.content:
            return None
        stage = tempfile.mkdtemp(prefix="files.", dir=self.module.tmpdir)
        try:
            staged = os.path.join(stage, os.path.basename(self.path))
            self._write(staged)
            code, out, err = self.module.run_command([word.replace("%s", staged) for word in self.command])
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return (out + err).replace(staged, self.path).strip() or f"it ends with {code}" if code else None

    def prepare(self):
        """Put the new text beside the old one, where a full disk shows itself."""
        self.new = atomic.Staged(self.path, self.content, self.mode)

    def replace(self):
        self.new.place()
        self.new = None

    def clean(self):
        if self.new is not None:
            self.new.discard()

    def _write(self, path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self.mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self.content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(path, self.mode)

    def diff(self):
        if self.secret:
            return {"before_header": self.path, "after_header": self.path, "before": "", "after": "(secret)\n"}
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": (self.present or b"").decode("utf-8", "replace"),
            "after": self.content.decode("utf-8", "replace"),
        }


def replace(files, fail):
    """Write files, or none of them; V(fail) is told why."""
    file = None
    try:
        for file in files:
            file.prepare()
        for file in files:
            file.replace()
    except OSError as error:
        fail(msg=f"{file.path}: {error.strerror}")
    finally:
        for file in files:
            file.clean()
