# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.sshd_settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sshd_settings
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Settings of sshd on a host
version_added: 0.1.0
description:
  - Merges C(ssh_lifeline_sshd) of all layers of the inventory by keyword, in the order V(all), groups, host, play
    (extra variables included). A later layer replaces the values of earlier ones, and V(null) removes a keyword.
options:
  _terms:
    description: None.
  defaults:
    description: The layer below all others.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the settings of sshd on this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.sshd_settings') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary of keywords with their values.
  type: list
  elements: dict
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings, sshd as sshd_settings


class LookupModule(SettingsLookup):
    """Return the settings of sshd, merged over all layers."""

    def find(self, terms, variables):
        defaults = ("the defaults", self.get_option("defaults"))
        return [sshd_settings.merged([defaults, *box_settings.layers("ssh_lifeline_sshd", self._templar, variables)])]
