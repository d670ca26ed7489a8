# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the lookup lifeline.fleet.preflight_page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_page
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: What the roles find on a host and would do to it, as one page
version_added: 0.1.0
description:
  - Reads what the tasks C(preflight) of the roles have registered, and returns it as lines to show.
options:
  _terms:
    description: The roles.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the role fail2ban would do
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.preflight_page', 'fail2ban').lines }}"
"""

RETURN = r"""
_raw:
  description: One dictionary with the C(lines) of the page, and the C(conflicts) for which a role would fail.
  type: list
  elements: dict
"""


from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import preflight


class LookupModule(SettingsLookup):
    """Return the page of the host."""

    def find(self, terms, variables):
        roles = [*terms, *(["monit"] if "sidekiq_watchdog" in terms and "monit" not in terms else [])]
        results = {role: variables.get(f"__{role}_preflight") for role in roles}
        if "sidekiq_watchdog" in terms:
            results["monit, for the workers"] = variables.get("__sidekiq_watchdog_preflight_checks")
        mail = self._templar.template(variables.get("monit_mail")) or {}
        known = {role: self._templar.template(result) for role, result in results.items() if result}
        facts = variables.get("ansible_facts", {})
        listeners = facts.get("lifeline_listeners", {}).get("listeners", ()) if "service_lockdown" in terms else ()
        if "sidekiq_watchdog" in known:
            workers = facts.get("lifeline_sidekiq", {}).get("workers", {})
            known["sidekiq_watchdog"] = {**known["sidekiq_watchdog"], "workers": workers}
        return [preflight.page(variables["inventory_hostname"], known, mail, listeners)]
