# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.tmux_session."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tmux_session
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Make a tmux session with a window for each host of the inventory
version_added: 0.1.0
description:
  - Takes each host's SSH address, port, user, key and further options from the inventory, such as the options for a
    jump host. Without a variable, those of the command line (C(-u), C(--ssh-common-args)), the environment and
    C(ansible.cfg) apply.
  - The windows are in the inventory's order, group by group. A host of several groups has one window, in the most
    specific group.
  - This machine itself has a window without a command. A host that is reached in another way than over SSH has no
    window.
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
    description: Whether to make a project of tmuxinator, or a shell script that needs only tmux.
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

from ansible import constants, context
from ansible.plugins.loader import connection_loader

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _tmux
from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup

# The options of Ansible's connection over SSH that apply without a variable.
_OPTIONS = {
    "executable": "ssh_executable",
    "port": "port",
    "user": "remote_user",
    "key": "private_key_file",
    "ansible_ssh_args": "ssh_args",
    "ansible_ssh_common_args": "ssh_common_args",
    "ansible_ssh_extra_args": "ssh_extra_args",
}
_FORMATS = {"tmuxinator": _tmux.tmuxinator, "script": _tmux.script}


class LookupModule(SettingsLookup):
    """Return the text of one file that makes the session."""

    # The hosts of the session are the terms; the errors name them.
    names_host = False

    def find(self, terms, variables):
        inventory = variables["hostvars"]._inventory
        order = {name: number for number, name in enumerate(inventory.groups)}
        session = _tmux.session_name(self.get_option("session"))
        defaults = {key: _configured(option) for key, option in _OPTIONS.items()}
        windows: dict[str | None, list[_tmux.Window]] = {}
        for name in terms:
            line = _tmux.command(name, variables["hostvars"][name], defaults)
            if line is not None:
                group = _most_specific_group(inventory.get_host(name), order)
                windows.setdefault(group, []).append((_tmux.window_name(group, name), line))
        if not windows:
            raise SettingsError(f"no host is reached over SSH ({', '.join(terms)}); name hosts with the connection ssh")
        ordered = sorted(windows.items(), key=lambda item: order.get(item[0], -1))
        groups = [(group or "ungrouped", group_windows) for group, group_windows in ordered]
        return [_FORMATS[self.get_option("format")](session, groups)]


def _configured(option):
    """Return an option of the command line, the environment or ansible.cfg; None for Ansible's own default."""
    # Loads the options of the plugin.
    connection_loader.get("ssh", class_only=True)
    if option == "remote_user" and context.CLIARGS.get(option):
        # -u has another name in the options of the plugin.
        return context.CLIARGS[option]
    value, origin = constants.config.get_config_value_and_origin(option, plugin_type="connection", plugin_name="ssh")
    return None if origin == "default" else value


def _most_specific_group(host, order):
    """Return the name of the deepest group of a host, the first of the inventory if several are as deep, or None."""
    groups = [group for group in host.get_groups() if group.name not in ("all", "ungrouped")]
    return min(groups, key=lambda group: (-group.depth, order.get(group.name, 0))).name if groups else None
