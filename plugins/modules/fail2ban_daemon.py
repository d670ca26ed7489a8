#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.fail2ban_daemon."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fail2ban_daemon
short_description: Has the running fail2ban follow its configuration, and proves that its bans work
version_added: 0.1.0
description:
  - Has fail2ban read its configuration again if a file of it is newer than what the daemon runs with, or if a jail
    differs from what was asked for. Bans survive that. A jail whose actions changed is restarted, because fail2ban
    drops a new action at a reload.
  - Lifts bans of addresses that must be ignored now.
  - Then asks the daemon for each of O(jails) and its thresholds, and fails with what it says if a jail differs.
  - A jail whose action puts no rule into the firewall looks like any other. So each address that a jail with an
    action of nftables, iptables, ufw, firewalld or route has banned must be in the rules. If they were flushed, the
    jail is restarted, and its bans with it. If the configuration is new, two addresses that no client has are banned
    and freed again to prove it. A jail that also sends mail or tells a service is not proved like this.
attributes:
  check_mode:
    description: Can run in check mode and report whether fail2ban would read its configuration or free an address.
    support: full
  diff_mode:
    description: No file changes.
    support: none
options:
  directory:
    description: The directory of fail2ban's configuration.
    type: path
    default: /etc/fail2ban
  socket:
    description: The socket that the daemon listens on.
    type: path
    default: /var/run/fail2ban/fail2ban.sock
  settings:
    description: Settings for all jails, by fail2ban's names.
    type: dict
    default: {}
  jails:
    description: The jails, as for M(lifeline.fleet.fail2ban_config).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The jail's name.
        type: str
        required: true
      settings:
        description: The jail's settings, by fail2ban's names.
        type: dict
        required: true
  ignored:
    description: Addresses and networks that no jail may ban.
    type: list
    elements: str
    default: []
  takeover:
    description: With V(keep), other files may set the thresholds and actions of O(jails).
    type: str
    choices: [refuse, keep, take]
    default: refuse
  timeout:
    description: Seconds to wait for the daemon to answer, and for each jail to be as asked for.
    type: int
    default: 60
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Have fail2ban watch sshd
  lifeline.fleet.fail2ban_daemon:
    settings:
      bantime: 10m
    jails:
      - name: sshd
        settings:
          enabled: true
    ignored: [192.0.2.0/24]
"""

RETURN = r"""
version:
  description: fail2ban's version.
  returned: success
  type: str
  sample: 1.0.2
reloaded:
  description: Whether fail2ban read its configuration again, or in check mode would.
  returned: success
  type: bool
freed:
  description: Addresses whose bans were lifted, or in check mode would be, by jail.
  returned: success
  type: dict
restored:
  description: The jails whose bans had lost their rules and have got them back, or in check mode would.
  returned: success
  type: list
  elements: str
proved:
  description: The jails whose bans were proved by the rules of the firewall.
  returned: success
  type: list
  elements: str
unproved:
  description: The jails of O(jails) whose bans cannot be proved, with the reason.
  returned: success
  type: dict
jails:
  description:
    - All jails of the daemon by name, with their thresholds in seconds and the addresses that they have banned.
  returned: success
  type: dict
  contains:
    maxretry:
      description: The number of failures that leads to a ban.
      type: int
    findtime:
      description: The seconds in which they count.
      type: int
    bantime:
      description: The seconds of a first ban; -1 means for ever.
      type: int
    ignored:
      description: Addresses and networks that the jail never bans.
      type: list
      elements: str
    actions:
      description: The names of its actions.
      type: list
      elements: str
    banned:
      description: Addresses that it has banned.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban import control_socket
from ansible_collections.lifeline.fleet.plugins.module_utils._fail2ban.daemon import Daemon, DaemonError, Options


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/fail2ban"},
            "socket": {"type": "path", "default": "/var/run/fail2ban/fail2ban.sock"},
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
            "ignored": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 60},
            "takeover": {"type": "str", "choices": ["refuse", "keep", "take"], "default": "refuse"},
        },
        supports_check_mode=True,
    )
    options = Options(*(module.params[name] for name in Options._fields))
    try:
        result = Daemon(Commands.of_module(module), options, module.check_mode).run()
    except DaemonError as error:
        module.fail_json(msg=str(error))
    except (OSError, control_socket.Refusal) as error:
        module.fail_json(msg=f"fail2ban does not answer at {options.socket}: {error}")
    for name, reason in result["unproved"].items():
        module.warn(f"the bans of jail {name} were not proved: {reason}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
