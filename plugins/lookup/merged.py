# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.merged."""

from __future__ import annotations

DOCUMENTATION = r"""
name: merged
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Merge a list by name over all layers of the inventory
version_added: 0.1.0
description:
  - Ansible itself returns a variable's topmost value only, so a host that adds one entry to a list would have to repeat
    the list. This lookup combines all layers in the order V(all), groups, host, play (extra variables included).
  - Entries of the same C(name) are one entry. A later layer replaces the values of the earlier layers, key by key.
  - The layers are the inventory, and the C(group_vars) and C(host_vars) beside it and beside the play. Templates in
    them are resolved.
options:
  _terms:
    description: The name of one variable. Each layer may set it to a list of dictionaries with a C(name) each.
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
  description: The merged list. The entries are in the order in which their names appear first.
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
            raise SettingsError(f"lifeline.fleet.merged: not one term ({len(terms)}); give the name of one variable")
        defaults = ("the defaults", self.get_option("defaults"))
        return [layers.by_name([defaults, *box_settings.layers(terms[0], self._templar, variables)])]
