# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.merged."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merged
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: A list merged by name over all layers of the inventory
version_added: 0.1.0
description:
  - Ansible itself hands out a variable's topmost value only, so that a host that adds one entry to a list has to repeat the list.
    This lookup takes all layers together, in the order V(all), groups, host, play (extra variables included).
  - Entries of the same C(name) are one entry. A later layer replaces, key by key, what the layers before it said.
  - Read are the inventory and the C(group_vars) and C(host_vars) beside it and beside the play. Templates in them are resolved.
options:
  _terms:
    description: The name of one variable, which each layer may set to a list of dictionaries with a C(name) each.
    required: true
    type: list
    elements: str
  defaults:
    description: The layer below all others.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show the checks of this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.merged', 'monit_checks') }}"
"""

RETURN = r"""
_raw:
  description: The merged list, in the order in which the names first come.
  type: list
  elements: list
"""


from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings, layers


class LookupModule(SettingsLookup):
    """Return a variable's list, merged by name over all layers."""

    def find(self, terms, variables):
        if len(terms) != 1:
            raise SettingsError(f"lifeline.fleet.merged: {len(terms)} terms were given; give the name of one variable")
        defaults = ("the defaults", self.get_option("defaults"))
        return [layers.by_name([defaults, *box_settings.layers(terms[0], self._templar, variables)])]
