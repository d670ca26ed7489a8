# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.sshd_settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sshd_settings
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: The settings of sshd on a host, by the inventory
version_added: 0.1.0
description:
  - Takes C(ssh_lifeline_sshd) of all layers of the inventory together, keyword by keyword, in the order V(all), groups, host, play (extra
    variables included). A later layer replaces what the layers before it said of a keyword, and V(null) takes it out.
options:
  _terms:
    description: None.
  defaults:
    description: The layer below all others.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show how sshd is to be set on this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.sshd_settings') }}"
"""

RETURN = r"""
_raw:
  description: One dictionary of keywords with their values.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings, sshd as sshd_settings


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        layers = [
            ("the defaults", self.get_option("defaults")),
            *box_settings.layers("ssh_lifeline_sshd", self._templar, variables),
        ]
        try:
            return [sshd_settings.merged(layers)]
        except SettingsError as error:
            raise AnsibleLookupError(f"{variables['inventory_hostname']}: {error}") from None
