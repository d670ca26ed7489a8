# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lifeline.fleet.throughput_peers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_peers
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Which boxes get far less done than their peers
version_added: 0.1.0
description:
  - Holds the rate of each box against the median of all others, and tells of those that are slower by the factor O(warning), and by more
    than chance. A fifth of what the others do is where a box was that was about to die.
  - Says nothing of fewer than three boxes.
options:
  _input:
    description: Rows, or jobs, per hour by the box's name. V(null) for a box whose rate is unknown, which is then left out.
    type: dict
    required: true
  per:
    description: What to divide each rate by before they are compared, such as the threads of each box, by the box's name.
    type: dict
  warning:
    description: How many times slower than its peers a box must be for a warning.
    type: float
    default: 5
  critical:
    description: How many times slower it must be to be in danger.
    type: float
    default: 20
seealso:
  - module: lifeline.fleet.throughput_info
  - module: lifeline.fleet.sidekiq_info
"""

EXAMPLES = r"""
- name: Compare the boxes that have been counted
  ansible.builtin.debug:
    msg: "{{ rates | lifeline.fleet.throughput_peers(per={'crawler1': 25, 'crawler2': 25, 'crawler3': 50}) }}"
  vars:
    rates:
      crawler1: 11671
      crawler2: 2100
      crawler3: 24010
"""

RETURN = r"""
_value:
  description: What was found, in the form of the findings of M(lifeline.fleet.health), the slowest box first; its name is the C(subject).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import peers


def throughput_peers(rates, per=None, warning=peers.WARNING, critical=peers.CRITICAL):
    try:
        return peers.judge(rates, per, warning, critical)
    except SettingsError as error:
        raise AnsibleFilterError(f"lifeline.fleet.throughput_peers: {error}") from error


class FilterModule:
    def filters(self):
        return {"throughput_peers": throughput_peers}
