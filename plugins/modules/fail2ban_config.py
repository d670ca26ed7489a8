#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.fail2ban_config."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban_config
short_description: Writes fail2ban's jails only if fail2ban accepts them, and never against the operator
version_added: 0.1.0
description:
  - Writes one file of jails and one file of the daemon's own settings. Other files stay as they are.
  - Before anything is replaced, a copy of the whole configuration is put together with the new files and checked with
    C(fail2ban-client -t) and with fail2ban's own code, which refuses wrong regular expressions and times that the
    test accepts. Each jail must come out as it was asked for.
  - No jail, not even a foreign one, bans the loopback, O(ignore), or the address of this connection.
  - If a package of O(packages) is missing, only the addresses that must never be banned are written, because fail2ban
    starts as soon as it is installed and must know them by then. Install the packages then, and run the module again.
  - The running daemon is left alone. M(lifeline.fleet.fail2ban_daemon) has it read the files.
attributes:
  check_mode:
    description:
      - Can run in check mode and report what would change. The new configuration is validated as well if fail2ban is
        installed.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
options:
  directory:
    description: The directory of fail2ban's configuration.
    type: path
    default: /etc/fail2ban
  daemon:
    description: The daemon's own settings, such as C(dbpurgeage).
    type: dict
    default: {}
  settings:
    description: Settings for all jails, by fail2ban's names.
    type: dict
    default: {}
  jails:
    description: The jails.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The jail's name.
        type: str
        required: true
      settings:
        description:
          - The jail's settings, by fail2ban's names. The elements of a list get a line each.
          - C(enabled) says whether the jail runs. If C(port) is V(sshd), it stands for all ports that sshd listens on.
        type: dict
        required: true
  ignore:
    description: Addresses and networks that are never banned, besides the loopback and the address of this connection.
    type: list
    elements: str
    default: []
  takeover:
    description:
      - What to do if another file sets a threshold or the action of a jail of O(jails). V(refuse) is an error that
        names the line, and nothing is written. V(take) lets O(settings) and O(jails) count. V(keep) lets the other
        file count.
    type: str
    choices: [refuse, keep, take]
    default: refuse
  packages:
    description: Packages that the jails need.
    type: list
    elements: str
    default: []
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Ban addresses that guess passwords
  lifeline.fleet.fail2ban_config:
    settings:
      bantime: 10m
    jails:
      - name: sshd
        settings:
          enabled: true
          backend: systemd
          port: sshd
    ignore: [192.0.2.0/24]
"""

RETURN = r"""
ignored:
  description: All addresses and networks that are never banned.
  returned: success
  type: list
  elements: str
  sample: [127.0.0.0/8, 192.0.2.7, "::1"]
connection:
  description: The address of this connection's client, null if it is not over SSH.
  returned: success
  type: str
missing:
  description: The packages that are not installed.
  returned: success
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.configuration import (
    Configuration,
    ConfigurationError,
    Options,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._files import together
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import session


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/fail2ban"},
            "daemon": {"type": "dict", "default": {}},
            "settings": {"type": "dict", "default": {}},
            "jails": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "settings": {"type": "dict", "required": True},
                },
            },
            "ignore": {"type": "list", "elements": "str", "default": []},
            "takeover": {"type": "str", "choices": ["refuse", "keep", "take"], "default": "refuse"},
            "packages": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    options = Options(*(module.params[name] for name in Options._fields))
    try:
        configuration = Configuration(Commands.of_module(module), options, session.find(os.getpid()), module.warn)
        missing = _packages.missing(module, module.params["packages"])
        if not missing:
            texts = configuration.validated()
        elif module.check_mode:
            # The contents after the change.
            texts = configuration.texts(configuration.jails)
        else:
            texts = configuration.guard()
        changed = [file for file in (together.File(path, text) for path, text in texts.items()) if file.changed]
        if not module.check_mode:
            together.replace(changed)
    except (ConfigurationError, together.FilesError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changed),
        ignored=configuration.ignored,
        connection=configuration.connection,
        missing=missing,
        diff=[file.diff() for file in changed],
    )


if __name__ == "__main__":
    main()
