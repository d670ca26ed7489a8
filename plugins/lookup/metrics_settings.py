# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.metrics_settings."""

from __future__ import annotations

DOCUMENTATION = r"""
name: metrics_settings
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Returns the settings of a host's metrics, as the program on the host reads them
version_added: 0.1.0
description:
  - Merges C(lifeline_thresholds) and the workers of all layers of the inventory, as M(lifeline.fleet.health) does.
options:
  interval:
    description: Seconds between two readings of the host.
    type: int
    default: 60
  oom_window:
    description: The time during which an OOM kill counts.
    type: str
    default: 24h
  timeout:
    description: Seconds to wait for a mount that may hang.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Show the settings of this host's metrics
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.metrics_settings', oom_window='12h') }}"
"""

RETURN = r"""
_raw:
  description: The settings as the text of one JSON document.
  type: list
  elements: str
"""

from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import settings as exporter_settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings


class LookupModule(SettingsLookup):
    """Return the settings of the metrics exporter."""

    def find(self, terms, variables):
        return [
            exporter_settings.text(
                box_settings.thresholds(self._templar, variables),
                box_settings.workers(self._templar, variables),
                self.get_option("interval"),
                self.get_option("oom_window"),
                self.get_option("timeout"),
            )
        ]
