# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.expected_listeners."""

from __future__ import annotations

DOCUMENTATION = r"""
name: expected_listeners
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Services that are expected to listen on a host
version_added: 0.1.0
description:
  - Merges the services that are expected on every host, such as SSH and the clock, C(service_lockdown_expected) of
    all layers of the inventory by name, C(service_lockdown_protected), and the host's workers and their queue.
  - M(lifeline.fleet.health) uses the same list.
"""

EXAMPLES = r"""
- name: Find services that listen on this host and are not expected
  lifeline.fleet.listener_facts:
    expected: "{{ lookup('lifeline.fleet.expected_listeners') }}"
"""

RETURN = r"""
_raw:
  description:
    - One list of ports, units and names of processes, as O(lifeline.fleet.listener_facts#module:expected) takes them.
  type: list
  elements: list
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings


class LookupModule(SettingsLookup):
    """Return what may listen on the host."""

    def find(self, terms, variables):
        return [box_settings.listeners(self._templar, variables)]
