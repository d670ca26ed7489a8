# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.ssh_allowed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh_allowed
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Addresses and networks that may reach SSH on a host
version_added: 0.1.0
description:
  - Merges C(ssh_lifeline_allowed) of all layers of the inventory, in the order V(all), groups, host, play (extra
    variables included).
  - An entry that is neither an address nor a network is an error that names the host, the layer and the value.
options:
  _terms:
    description: None.
"""

EXAMPLES = r"""
- name: Show the addresses that may reach SSH on this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.ssh_allowed') }}"
"""

RETURN = r"""
_raw:
  description: One list of addresses and networks.
  type: list
  elements: list
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import addresses, box as box_settings


class LookupModule(SettingsLookup):
    """Return the addresses and networks that may reach SSH."""

    def find(self, terms, variables):
        return [addresses.merged(box_settings.layers("ssh_lifeline_allowed", self._templar, variables))]
