#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.config_files."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Writes files that belong together, either all of them or none
version_added: 0.1.0
description:
  - Writes the text, the mode and the owner of several files together, and creates the directories that they are in.
  - Checks each new text with the program that will read it. If one is refused, nothing is written.
  - If a file cannot be replaced, the files that were replaced before it are restored.
attributes:
  check_mode:
    description:
      - Can run in check mode and report what would change. Texts are not checked, as the programs may not be
        installed yet.
    support: full
  diff_mode:
    description: Shows what changes in each file, except in those with O(files[].secret).
    support: full
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The absolute path of the file.
        type: path
        required: true
      content:
        description: The whole text.
        type: str
        required: true
      mode:
        description: The mode as octal digits.
        type: str
        default: '0644'
      validate:
        description:
          - A command that exits with 0 if the text is valid. V(%s) in it stands for the path of a file of the same
            name with the new text.
        type: list
        elements: str
        default: []
      secret:
        description: Whether the text has secrets that no output may show.
        type: bool
        default: false
notes:
  - The files belong to the user that runs the module, which is root for everything that the collection writes.
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
  description: The files that were written, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/crawler.service]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._files import together


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "default": "0644"},
                    "validate": {"type": "list", "elements": "str", "default": []},
                    "secret": {"type": "bool", "default": False},
                },
            },
        },
        supports_check_mode=True,
    )
    commands = Commands.of_module(module)
    try:
        changed = [file for file in map(_file, module.params["files"]) if file.changed]
        said = {} if module.check_mode else {file.path: file.refused(commands) for file in changed}
        refused = [f"{path}: {why}" for path, why in said.items() if why]
        if refused:
            module.fail_json(msg="nothing was written. " + "; ".join(refused))
        if not module.check_mode:
            together.replace(changed)
    except together.FilesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changed), changed_files=[file.path for file in changed], diff=[file.diff() for file in changed]
    )


def _file(wanted):
    try:
        mode = int(wanted["mode"], 8)
    except ValueError:
        raise together.FilesError(
            f"{wanted['path']}: mode: not octal digits ({wanted['mode']!r}); write it like '0644'"
        ) from None
    return together.File(wanted["path"], wanted["content"], mode, wanted["validate"], wanted["secret"])


if __name__ == "__main__":
    main()
