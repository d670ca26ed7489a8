# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.monit_checks."""

from __future__ import annotations

DOCUMENTATION = r"""
name: monit_checks
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Checks of monit on a host, in monit's language
version_added: 0.1.0
description:
  - Merges the ready-made checks, which use the same C(lifeline_thresholds) as M(lifeline.fleet.health), and
    C(monit_checks) of all layers of the inventory by name, in the order V(all), groups, host, play.
  - A layer may change a ready-made check by its name, key by key, or remove it with C(state=absent).
options:
  _terms:
    description: The ready-made checks to use, of V(system), V(filesystems), V(sshd), V(oom), V(workers).
    required: true
    type: list
    elements: str
  alarm:
    description: The action of a ready-made rule that matches, in monit's language.
    type: str
    default: alert
  sshd_port:
    description: The port that sshd listens on. With V(0), M(lifeline.fleet.monit_config) asks the host.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Show the checks of this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.monit_checks', 'system', 'filesystems') }}"
"""

RETURN = r"""
_raw:
  description: One list of dictionaries with the C(name) of a check, and its C(text) in monit's language.
  type: list
  elements: list
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import (
    box as box_settings,
    layers,
    monit as monit_settings,
)


class LookupModule(SettingsLookup):
    """Return the monit checks of the host."""

    def find(self, terms, variables):
        ready_made = monit_settings.ready_made(
            terms,
            box_settings.thresholds(self._templar, variables),
            box_settings.workers(self._templar, variables),
            self.get_option("alarm"),
            self.get_option("sshd_port"),
        )
        inventory = box_settings.layers("monit_checks", self._templar, variables)
        checks = monit_settings.checked(layers.by_name([("the ready-made checks", ready_made), *inventory]))
        return [[{"name": check["name"], "text": monit_settings.text(check)} for check in checks]]
