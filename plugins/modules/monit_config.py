#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.monit_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monit_config
short_description: Replaces monit's configuration, as a whole and only by one that monit takes
version_added: 0.1.0
description:
  - Writes monit's control file, and one file for each check into a directory that the control file includes. Checks of the same
    O(owner) that are no longer named are removed.
  - Before anything is replaced, the configuration as it would be, with the files of everybody else, is put together in a place of its
    own and given to C(monit -t). What monit refuses is never written, nor a rule whose program doesn't exist, which monit
    would only remark. The error names the check and the line.
  - The running daemon is left alone. M(lifeline.fleet.monit_daemon) has it read what was written.
attributes:
  check_mode:
    description: Can run in check mode and say what would change. The new configuration is validated there too.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
options:
  control_file:
    description: Monit's control file.
    type: path
    default: /etc/monit/monitrc
  control:
    description: The text of the control file. Without it, the control file stays as it is.
    type: str
  directory:
    description: The directory of the checks. The control file must include its files.
    type: path
    default: /etc/monit/lifeline.d
  owner:
    description: Whose checks these are, in a word. Checks of other owners stay.
    type: str
    required: true
  checks:
    description: The owner's checks, all of them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The check's name.
        type: str
        required: true
      text:
        description: The check in monit's language.
        type: str
        required: true
  secrets:
    description: Words that stand in the configuration and that no output may show.
    type: list
    elements: str
    default: []
  packages:
    description:
      - Packages without which there is no monit that could take the configuration. Where one of them is missing, nothing is written.
        Then install them, and run the module again.
    type: list
    elements: str
    default: []
notes:
  - Wants no root for itself, but the files are written for the user who runs it, and monit takes only its own user's.
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Watch the worker
  lifeline.fleet.monit_config:
    owner: crawler
    checks:
      - name: crawler
        text: |
          check process crawler with pidfile /run/crawler.pid
            if totalmem > 300 MB for 3 cycles then alert
"""

RETURN = r"""
files:
  description: The owner's files, as they are or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/monit/lifeline.d/crawler-crawler]
missing:
  description: Those of O(packages) that are not installed.
  returned: success
  type: list
  elements: str
warnings:
  description: What monit remarks on a configuration that it takes.
  returned: when it does
  type: list
  elements: str
"""

import glob
import os
import re
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic


def read(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def write(path, text):
    # Monit takes only files that nobody else may read, from the first moment on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)


class Configuration:
    """The files as they are and as they are to be. A text of None is no file."""

    def __init__(self, module):
        self.module = module
        self.control_file = module.params["control_file"]
        self.directory = module.params["directory"]
        self.prefix = module.params["owner"] + "-"
        self.wanted = {self.path(check["name"]): check["text"].rstrip("\n") + "\n" for check in module.params["checks"]}
        if len(self.wanted) < len(module.params["checks"]):
            module.fail_json(msg="checks names a check twice")
        mine = glob.glob(glob.escape(os.path.join(self.directory, self.prefix)) + "*")
        self.files = sorted(self.wanted)
        self.wanted.update((path, None) for path in mine if path not in self.wanted)
        if module.params["control"] is not None:
            self.wanted[self.control_file] = module.params["control"]
        self.present = {path: read(path) for path in self.wanted}
        self.changed = [
            path for path in sorted(self.wanted) if self.wanted[path] != self.present[path] or self.wrong_mode(path)
        ]

    def path(self, name):
        if not re.match(r"[\w.@-]+$", name):
            self.module.fail_json(msg=f"the check's name {name!r} must be letters, digits and . _ @ -")
        return os.path.join(self.directory, self.prefix + name)

    def wrong_mode(self, path):
        return None not in (self.wanted[path], self.present[path]) and os.stat(path).st_mode & 0o777 != 0o600

    def validate(self, monit):
        """Have monit read all that it would read; returns its remarks."""
        control = self.wanted.get(self.control_file) or read(self.control_file)
        if control is None:
            self.module.fail_json(msg=f"{self.control_file} doesn't exist: give its text as control")
        include = re.compile(r"^(\s*include\s+[\"']?)%s/" % re.escape(self.directory), re.IGNORECASE | re.MULTILINE)
        if not include.search(control):
            self.module.fail_json(
                msg=f"{self.control_file} doesn't include {self.directory}/*, so that the checks would never be read"
            )
        stage = tempfile.mkdtemp(prefix="monit.", dir=self.module.tmpdir)
        try:
            write(
                os.path.join(stage, "monitrc"), include.sub(lambda match: match.group(1) + stage + "/checks/", control)
            )
            os.mkdir(os.path.join(stage, "checks"), 0o700)
            others = glob.glob(os.path.join(glob.escape(self.directory), "*"))
            for path in {*self.wanted, *others} - {self.control_file}:
                text = self.wanted[path] if path in self.wanted else read(path)
                if text is not None:
                    write(os.path.join(stage, "checks", os.path.basename(path)), text)
            code, out, err = self.module.run_command([monit, "-t", "-c", os.path.join(stage, "monitrc")])
            said = (
                (out + err)
                .replace(stage + "/checks/", self.directory + "/")
                .replace(stage + "/monitrc", self.control_file)
            )
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        remarks = [
            line.strip()
            for line in said.splitlines()
            if line.strip()
            and "syntax OK" not in line
            and "onit id" not in line
            and not line.strip().startswith("Stored in")
        ]
        if code or any("Program does not exist" in remark or "not executable" in remark for remark in remarks):
            self.module.fail_json(
                msg="monit refuses the new configuration, the old one stays: " + "; ".join(map(self.readable, remarks))
            )
        return remarks

    def readable(self, remark):
        """A remark with the check's name in front, where it is about a file of the owner."""
        match = re.match(re.escape(os.path.join(self.directory, self.prefix)) + r"([\w.@-]+):(\d+): (.*)", remark)
        return "check %s, line %s: %s" % match.groups() if match else remark

    def replace(self):
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        for path in self.changed:
            if self.wanted[path] is None:
                os.unlink(path)
                continue
            atomic.replace(path, self.wanted[path], mode=0o600)


def main():
    module = AnsibleModule(
        argument_spec={
            "control_file": {"type": "path", "default": "/etc/monit/monitrc"},
            "control": {"type": "str"},
            "directory": {"type": "path", "default": "/etc/monit/lifeline.d"},
            "owner": {"type": "str", "required": True},
            "checks": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "text": {"type": "str", "required": True},
                },
            },
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    configuration = Configuration(module)
    missing = _packages.missing(module, module.params["packages"])
    if missing and not module.check_mode:
        module.exit_json(changed=False, files=configuration.files, missing=missing)
    remarks = []
    if configuration.changed:
        monit = module.get_bin_path("monit")
        if monit is None and not module.check_mode:
            module.fail_json(
                msg="monit is not installed, so that nothing could tell whether the new configuration is right"
            )
        if monit is not None:
            remarks = configuration.validate(monit)
        if not module.check_mode:
            configuration.replace()
    for remark in remarks:
        module.warn("monit: " + configuration.readable(remark))
    module.exit_json(
        changed=bool(configuration.changed),
        files=configuration.files,
        missing=missing,
        diff=[
            {
                "before_header": path,
                "after_header": path,
                "before": configuration.present[path] or "",
                "after": configuration.wanted[path] or "",
            }
            for path in configuration.changed
        ],
    )


if __name__ == "__main__":
    main()
