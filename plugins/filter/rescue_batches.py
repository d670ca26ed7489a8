# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lifeline.fleet.rescue_batches. Its manual is rescue_batches.yml."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import batches


def rescue_batches(wanted, away=(), groups=None, serial=2, share=25):
    """Return the batches, and the hosts that must wait with the reason for each."""
    try:
        members = {name: list(boxes) for name, boxes in (groups or {}).items()}
        made, left = batches.batches(list(wanted), list(away), members, serial, share)
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error
    return {"batches": made, "left": left}


class FilterModule:
    """The filter, as Ansible loads it."""

    def filters(self):
        """Return the filter by its name."""
        return {"rescue_batches": rescue_batches}
