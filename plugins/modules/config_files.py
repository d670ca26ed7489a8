#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.config_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Writes files that belong together, all of them or none
version_added: 0.1.0
description:
  - Writes the text, the mode and the owner of several files in one go, and makes the directories that they want.
  - Each new text is first shown to the program that will read it. Where one is refused, nothing is written.
attributes:
  check_mode:
    description: Can run in check mode and say what would change. What would read a text may not be installed then, so it isn't asked.
    support: full
  diff_mode:
    description: Shows what changes in each file that is not O(files[].secret).
    support: full
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file is. Must be absolute.
        type: path
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      mode:
        description: The mode in octal digits.
        type: str
        default: '0644'
      validate:
        description:
          - A command that ends with 0 if the text is right. V(%s) in it stands for a file of the same name with the new text, in a place of
            its own.
        type: list
        elements: str
        default: []
      secret:
        description: Whether the text holds secrets, which no output may show.
        type: bool
        default: false
notes:
  - The files belong to the user who runs the module, which is root for all that the collection writes.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Install a unit and its environment
  lifeline.fleet.config_files:
    files:
      - path: /etc/systemd/system/crawler.service
        content: "{{ lookup('ansible.builtin.template', 'crawler.service.j2') }}"
        validate: [systemd-analyze, verify, --man=no, "%s"]
      - path: /etc/default/crawler
        content: "{{ lookup('ansible.builtin.template', 'environment.j2') }}"
        mode: "0600"
        secret: true
"""

RETURN = r"""
changed_files:
  description: The files that are, or in check mode would be, written.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/crawler.service]
"""

import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule


class File:
    """One file, as it is and as it is to be."""

    def __init__(self, module, wanted):
        self.module, self.new = module, None
        self.path, self.command, self.secret = wanted["path"], wanted["validate"], wanted["secret"]
        self.content = wanted["content"].encode("utf-8", "surrogateescape")
        if not os.path.isabs(self.path):
            module.fail_json(msg="the path %r must be absolute" % self.path)
        try:
            self.mode = int(wanted["mode"], 8)
        except ValueError:
            module.fail_json(msg="%s: the mode %r must be octal digits, such as '0644'" % (self.path, wanted["mode"]))
        try:
            with open(self.path, "rb") as stream:
                self.present = stream.read()
                status = os.fstat(stream.fileno())
        except FileNotFoundError:
            self.present = None
        except OSError as error:
            module.fail_json(msg="%s can't be read: %s" % (self.path, error.strerror))
        self.changed = self.present != self.content or (status.st_mode & 0o7777, status.st_uid) != (self.mode, os.geteuid())

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
        return (out + err).replace(staged, self.path).strip() or "it ends with %d" % code if code else None

    def prepare(self):
        """Put the new text beside the old one, where a full disk shows itself."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        descriptor, self.new = tempfile.mkstemp(prefix=".lifeline.", dir=os.path.dirname(self.path))
        os.close(descriptor)
        self._write(self.new)

    def replace(self):
        os.rename(self.new, self.path)
        self.new = None

    def clean(self):
        if self.new is not None:
            os.unlink(self.new)

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
        return {"before_header": self.path, "after_header": self.path, "before": (self.present or b"").decode("utf-8", "replace"),
                "after": self.content.decode("utf-8", "replace")}


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": {
                "path": {"type": "path", "required": True},
                "content": {"type": "str", "required": True},
                "mode": {"type": "str", "default": "0644"},
                "validate": {"type": "list", "elements": "str", "default": []},
                "secret": {"type": "bool", "default": False},
            }},
        },
        supports_check_mode=True,
    )
    files = [File(module, wanted) for wanted in module.params["files"]]
    changed = [file for file in files if file.changed]
    refused = [] if module.check_mode else ["%s: %s" % (file.path, said) for file in changed for said in [file.validate()] if said]
    if refused:
        module.fail_json(msg="nothing was written. " + "; ".join(refused))
    if not module.check_mode:
        try:
            for file in changed:
                file.prepare()
            for file in changed:
                file.replace()
        except OSError as error:
            module.fail_json(msg="%s: %s" % (file.path, error.strerror))
        finally:
            for file in changed:
                file.clean()
    module.exit_json(changed=bool(changed), changed_files=[file.path for file in changed], diff=[file.diff() for file in changed])


if __name__ == "__main__":
    main()
