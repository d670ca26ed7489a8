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

from ansible.module_utils.basic import AnsibleModule

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
    files = [together.File(module, wanted) for wanted in module.params["files"]]
    changed = [file for file in files if file.changed]
    refused = (
        [] if module.check_mode else [f"{file.path}: {said}" for file in changed for said in [file.validate()] if said]
    )
    if refused:
        module.fail_json(msg="nothing was written. " + "; ".join(refused))
    if not module.check_mode:
        together.replace(changed, module.fail_json)
    module.exit_json(
        changed=bool(changed), changed_files=[file.path for file in changed], diff=[file.diff() for file in changed]
    )


if __name__ == "__main__":
    main()
