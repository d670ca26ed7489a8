# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the playbook reboot_down. Each has its manual in a file of its name."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import reboot


def reboot_faults(settings):
    """Return a message for each setting that makes no sense."""
    return reboot.faults(settings)


def reboot_decision(answer, instance_id="", grace=600, instance=None):
    """Return what to do with a host, before its provider was asked (`instance` is None) or afterwards."""
    try:
        decision = reboot.before(answer, instance_id, grace)
        return decision if instance is None else reboot.chosen(decision, answer, instance)
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error


def reboot_result(again, instance=None, back=None, health=None):
    """Return how far the reboot of a host has come."""
    try:
        return reboot.after(again, instance, back, health)
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error


def reboot_plan(decisions, serial=2):
    """Return the hosts to reboot in batches, the lines to show, and the reason for doubt."""
    try:
        return reboot.plan(decisions, serial)
    except SettingsError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters, as Ansible loads them."""

    def filters(self):
        """Return the filters by their names."""
        return {
            "reboot_faults": reboot_faults,
            "reboot_decision": reboot_decision,
            "reboot_result": reboot_result,
            "reboot_plan": reboot_plan,
        }
