#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module lifeline.fleet.ssh_door. The action of the same name calls it twice."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_door
short_description: Restricts SSH to an allow-list and configures sshd, unless that would lock out the operator
version_added: 0.1.0
description:
  - Drops connections to the ports that sshd listens on unless they come from O(allowed), with an nftables table of
    its own. Other tables, such as those of ufw, firewalld, docker and fail2ban, are left alone. At boot the table is
    loaded before the network is up.
  - Writes O(settings) to a file of its own in C(/etc/ssh/sshd_config.d) that sshd reads before all others, and
    reloads sshd.
  - Refuses, before it changes anything, what C(nft) or C(sshd) refuse, an allow-list without the address of this
    connection, settings that another file or line overrides, and settings under which the connected user could not
    log in.
  - Applies all changes together, after it has armed a timer on the host that restores the previous state. The
    controller then drops its connection and opens a new one, and only that one can confirm the changes. If the play,
    the controller or the network fails, or the host reboots in the meantime, the previous state is restored.
attributes:
  check_mode:
    description:
      - Can run in check mode and report what would change. It validates everything, except with programs that are not
        installed.
    support: full
  diff_mode:
    description: Shows what changes in each file.
    support: full
  action:
    description: The controller opens the new connection that confirms.
    support: full
  async:
    description: An asynchronous task cannot confirm the changes with a new connection.
    support: none
options:
  allowed:
    description:
      - IPv4 and IPv6 addresses and networks that may reach SSH. If the list is empty, the table is removed and SSH is
        open to every address.
    type: list
    elements: str
    default: []
  settings:
    description:
      - Settings of sshd by keyword. The elements of a list are joined with blanks. A keyword with the value V(null)
        is left out. If there is no setting, the file is removed.
      - C(Port), C(ListenAddress), C(AddressFamily), C(Match) and C(Include) are refused.
    type: dict
    default: {}
  window:
    description: Seconds in which a new connection must confirm the changes, from 10 to 600.
    type: int
    default: 60
  packages:
    description: Packages to look for. RV(missing) returns those that are not installed.
    type: list
    elements: str
    default: []
  confirm:
    description: Used by the action. The token of the changes to keep.
    type: str
author:
  - The Lifeline authors (@lifeline-fleet)
"""

EXAMPLES = r"""
- name: Allow SSH only from the office, and only with a key
  lifeline.fleet.ssh_door:
    allowed: [192.0.2.0/24, "2001:db8::/48"]
    settings:
      PasswordAuthentication: false
"""

RETURN = r"""
connection:
  description: The SSH connection that the module ran through.
  returned: success
  type: dict
  contains:
    user:
      description: The user that logged in.
      type: str
    address:
      description: The address of the client, as the host sees it.
      type: str
ports:
  description: The ports that sshd listens on.
  returned: success
  type: list
  elements: int
  sample: [22]
needed:
  description: Whether anything had to be changed.
  returned: success
  type: bool
missing:
  description: The packages of O(packages) that are not installed.
  returned: success
  type: list
  elements: str
confirmed:
  description: Whether a new connection has confirmed the changes.
  returned: when there were changes to confirm
  type: bool
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lifeline.fleet.plugins.module_utils import _packages
from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import change, session
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door.door import Door, Options


def main():
    module = AnsibleModule(
        argument_spec={
            "allowed": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
            "window": {"type": "int", "default": 60},
            "packages": {"type": "list", "elements": "str", "default": []},
            "confirm": {"type": "str", "no_log": False},
        },
        supports_check_mode=True,
    )
    options = Options(module.params["allowed"], module.params["settings"], module.params["window"])
    token = module.params["confirm"]
    if os.geteuid() != 0:
        module.fail_json(msg="only root can change how SSH is reached; set become: true")
    if not 10 <= options.window <= 600:
        module.fail_json(msg=f"window: out of range ({options.window}); use 10 to 600 seconds")
    missing = _packages.missing(module, module.params["packages"])
    door = Door(Commands.of_module(module), session.find(os.getpid()), module.check_mode)
    try:
        with change.lock():
            result = door.arm(options) if token is None else door.confirm(token)
    except change.Busy as error:
        module.fail_json(msg=str(error), busy=True)
    except (change.DoorError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(missing=missing, **result)


if __name__ == "__main__":
    main()
