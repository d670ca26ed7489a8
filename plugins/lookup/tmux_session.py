# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.tmux_session."""

from __future__ import annotations

DOCUMENTATION = r"""
name: tmux_session
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: A tmux session with a window for each box of the inventory
version_added: 0.1.0
description:
  - Writes the text of a file that opens the session, with a window for each box that is reached over SSH, one group after the other.
  - Each window logs in as Ansible does, by the box's address, port, user, key and SSH arguments.
options:
  _terms:
    description: The kind of file, V(tmuxinator) or V(script).
    required: true
    type: list
    elements: str
  session:
    description: The session's name. What tmux would take for more than a name becomes C(_).
    type: str
    default: lifeline
  hosts:
    description: Only these hosts.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Write a session for the boxes of group crawler
  ansible.builtin.copy:
    dest: ~/.config/tmuxinator/crawler.yml
    content: "{{ lookup('lifeline.fleet.tmux_session', 'tmuxinator', session='crawler', hosts=groups['crawler']) }}"
    mode: "0600"
"""

RETURN = r"""
_raw:
  description: The text of each file.
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _tmux

KINDS = {"tmuxinator": _tmux.tmuxinator, "script": _tmux.script}


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        wanted = set(self.get_option("hosts"))
        hostvars = variables["hostvars"]
        # The groups that name hosts themselves come before those that only collect groups.
        groups = {name: [host for host in hosts if host in wanted]
                  for name, hosts in sorted(variables["groups"].items(), key=lambda item: item[0] == "all")}
        try:
            boxes = _tmux.windows(groups, {host: dict(hostvars[host]) for host in wanted})
        except ValueError as error:
            raise AnsibleLookupError("an SSH argument of the inventory can't be read: %s" % error) from error
        if not boxes:
            raise AnsibleLookupError("no host of %s is reached over SSH" % (sorted(wanted) or "none"))
        unknown = [term for term in terms if term not in KINDS]
        if unknown:
            raise AnsibleLookupError("the kind of file is %r: it must be one of %s" % (unknown[0], ", ".join(KINDS)))
        return [KINDS[term](_tmux.title(self.get_option("session")), boxes) for term in terms]
