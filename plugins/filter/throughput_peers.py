# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lifeline.fleet.throughput_peers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: throughput_peers
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Find the hosts that get far less done than their peers
version_added: 0.1.0
description:
  - Compares the rate of each host with the median of all others, and returns the hosts that are slower by the factor
    O(warning), if that is more than chance. A host that was about to die did a fifth of what the others did.
  - Returns nothing for fewer than three hosts.
options:
  _input:
    description:
      - Rows, or jobs, per hour by the host's name. V(null) means that a host's rate is unknown; the host is left out.
    type: dict
    required: true
  per:
    description: A number by the host's name that its rate is divided by before the comparison, such as its threads.
    type: dict
  warning:
    description: How many times slower than its peers a host is when it gets a warning.
    type: float
    default: 5
  critical:
    description: How many times slower than its peers a host is when it is critical.
    type: float
    default: 20
seealso:
  - module: lifeline.fleet.throughput_info
  - module: lifeline.fleet.sidekiq_info
"""

EXAMPLES = r"""
- name: Compare the hosts that have been counted
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
  description:
    - The slow hosts, as findings like those of M(lifeline.fleet.health), the slowest first. The host's name is the
      C(subject).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import peers


def throughput_peers(rates, per=None, warning=peers.WARNING, critical=peers.CRITICAL):
    """Return the findings about slow hosts."""
    try:
        return peers.judge(rates, per, warning, critical)
    except SettingsError as error:
        raise AnsibleFilterError(f"lifeline.fleet.throughput_peers: {error}") from error


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self):
        """Return the filter by its name."""
        return {"throughput_peers": throughput_peers}
