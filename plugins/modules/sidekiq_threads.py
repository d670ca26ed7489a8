#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module lifeline.fleet.sidekiq_threads."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidekiq_threads
short_description: Writes the number of threads into an application's sidekiq.yml
version_added: 0.1.0
description:
  - Sets C(:concurrency:) in the configuration of Sidekiq, and leaves everything else in the file alone.
  - If a user other than root can change the file or a folder above it, the module acts as that user, also when it runs
    as root. So such a user cannot make root write to another file.
  - A file that this user may not write is left alone, with a warning.
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows what changes in the file.
    support: full
options:
  path:
    description: The file. It is created if there is none. Must be absolute.
    type: path
    required: true
  threads:
    description: The number of threads.
    type: int
    required: true
  user:
    description: The user to act as if the file is in a folder of root's that several users can write to.
    type: str
seealso:
  - module: lifeline.fleet.sidekiq_facts
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Use ten threads
  lifeline.fleet.sidekiq_threads:
    path: /srv/app/current/config/sidekiq.yml
    threads: 10
"""

RETURN = r"""
refusal:
  description: The reason why the file was left alone; V(null) if it has the number.
  returned: success
  type: str
  sample: user deploy may not write it (Permission denied)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import threads


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "threads": {"type": "int", "required": True},
            "user": {"type": "str"},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    if not path.startswith("/"):
        module.fail_json(msg=f"path: not absolute ({path!r}); begin it with /")
    try:
        found = threads.write(path, module.params["threads"], module.params["user"], dry=module.check_mode)
    except OSError as error:
        module.fail_json(msg=f"path: cannot write {path} ({error.strerror}); correct the file, or set another one")
    if found.refusal:
        module.warn(f"{path} keeps its number of threads: {found.refusal}. The worker's unit has its own number.")
    module.exit_json(
        changed=found.before != found.after,
        refusal=found.refusal,
        diff={"before_header": path, "after_header": path, "before": found.before or "", "after": found.after or ""},
    )


if __name__ == "__main__":
    main()
