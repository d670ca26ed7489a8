# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.fail2ban_rules."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fail2ban_rules
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Jails of fail2ban on a host, and the addresses that it never bans
version_added: 0.1.0
description:
  - Merges C(fail2ban_jails) of all layers of the inventory by name, in the order V(all), groups, host, play, and
    reads the thresholds C(fail2ban_maxretry) and so on.
  - fail2ban never bans C(fail2ban_ignore) and C(ssh_lifeline_allowed) of all layers. A network of all addresses is
    left out.
  - fail2ban itself accepts nearly every value and uses another one instead. Here a wrong value is an error that names
    the host, the value and what is allowed.
options:
  _terms:
    description: None.
  defaults:
    description: Jails that those of the inventory are merged into.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show the jails of this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.fail2ban_rules').jails }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary with C(settings), which hold for all jails, C(jails), each with a C(name) and its C(settings),
      and C(ignore).
  type: list
  elements: dict
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import (
    addresses,
    box as box_settings,
    fail2ban as fail2ban_settings,
    layers,
)

_VARIABLES = (
    "maxretry",
    "findtime",
    "bantime",
    "bantime_increment",
    "bantime_factor",
    "bantime_maxtime",
    "bantime_rndtime",
    "remember",
)


class LookupModule(SettingsLookup):
    """Return the rules of fail2ban for the host."""

    def find(self, terms, variables):
        values = {name: self._templar.template(variables["fail2ban_" + name]) for name in _VARIABLES}
        settings = fail2ban_settings.settings(values)
        defaults = ("the role's jails", self.get_option("defaults"))
        jails = layers.by_name([defaults, *box_settings.layers("fail2ban_jails", self._templar, variables)])
        ignore = [
            address
            for name in ("fail2ban_ignore", "ssh_lifeline_allowed")
            for address in addresses.merged(box_settings.layers(name, self._templar, variables))
        ]
        return [
            {
                "settings": settings,
                "jails": fail2ban_settings.jails(jails),
                "ignore": fail2ban_settings.without_everyone(ignore),
            }
        ]
