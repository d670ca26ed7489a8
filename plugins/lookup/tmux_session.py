# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.tmux_session."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tmux_session
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: A session of tmux with a window for each box of the inventory
version_added: 0.1.0
description:
  - Takes the SSH address, port, user, key and further options of each host from the inventory, such as those for a jump host.
  - The windows stand in the inventory's order, group by group. A host of several groups has one window, at the most specific of them.
  - A host that is this machine itself has a window without a command. One that is reached in another way than by SSH has none.
options:
  _terms:
    description: The names of the hosts.
    required: true
    type: list
    elements: str
  session:
    description: The session's name.
    type: str
    default: lifeline
  format:
    description: What is wanted, a project of tmuxinator or a shell script of tmux's commands.
    type: str
    choices: [tmuxinator, script]
    default: tmuxinator
"""

EXAMPLES = r"""
- name: Show the session
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.tmux_session', *groups.all) }}"
"""

RETURN = r"""
_raw:
  description: The text of one file.
  type: list
  elements: str
"""

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _tmux

_FORMATS = {"tmuxinator": _tmux.tmuxinator, "script": _tmux.script}


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        hostvars = variables["hostvars"]
        inventory = hostvars._inventory
        order = {name: number for number, name in enumerate(inventory.groups)}
        defaults = {"user": constants.DEFAULT_REMOTE_USER, "key": constants.DEFAULT_PRIVATE_KEY_FILE}
        groups = {}
        try:
            session = _tmux.session_name(self.get_option("session"))
            for name in terms:
                found = [
                    group for group in inventory.get_host(name).get_groups() if group.name not in ("all", "ungrouped")
                ]
                group = min(found, key=lambda group: (-group.depth, order.get(group.name, 0))).name if found else None
                line = _tmux.command(name, hostvars[name], defaults)
                if line is not None:
                    groups.setdefault(group, []).append((_tmux.window_name(group, name), line))
        except SettingsError as error:
            raise AnsibleLookupError(str(error)) from None
        if not groups:
            raise AnsibleLookupError(f"none of the hosts {', '.join(terms)} is reached by SSH")
        ordered = sorted(groups.items(), key=lambda item: order.get(item[0], -1))
        return [
            _FORMATS[self.get_option("format")](
                session, [(group or "ungrouped", windows) for group, windows in ordered]
            )
        ]
