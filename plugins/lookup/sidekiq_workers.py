# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup lifeline.fleet.sidekiq_workers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sidekiq_workers
author:
  - The Lifeline authors (@lifeline-fleet)
short_description: Returns the Sidekiq workers of a host with all their derived settings
version_added: 0.1.0
description:
  - Merges C(sidekiq_watchdog_workers) of all layers of the inventory by name, or takes the one worker that
    C(max_sidekiq_memory), C(max_sidekiq_threads), C(app_path) or C(app_base), and C(server_env) describe.
  - Derives ceilings and timeouts, and refuses settings that could never work.
options:
  _terms:
    description: Defaults for every worker, as one dictionary with keys of C(sidekiq_watchdog_workers).
    required: true
    type: list
    elements: dict
  box:
    description: The facts of M(lifeline.fleet.sidekiq_facts). Without them, nothing is compared with the host.
    type: dict
"""

EXAMPLES = r"""
- name: Show the workers of this host
  ansible.builtin.debug:
    msg: "{{ lookup('lifeline.fleet.sidekiq_workers', {}) }}"
"""

RETURN = r"""
_raw:
  description:
    - One list of dictionaries with the keys of C(sidekiq_watchdog_workers) and the derived ones, such as
      C(limit_bytes), C(ceiling_bytes), C(unit), C(exec), C(check) (the text of monit's check) and C(inspect) (the
      options of M(lifeline.fleet.sidekiq_facts)).
  type: list
  elements: list
"""

from ansible_collections.lifeline.fleet.plugins.plugin_utils._lookup import SettingsLookup
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import (
    box as box_settings,
    monit as monit_settings,
    sidekiq as sidekiq_settings,
)


class LookupModule(SettingsLookup):
    """Return the Sidekiq workers of the host."""

    # The errors of the workers begin with the host and the worker's variable.
    names_host = False

    def find(self, terms, variables):
        declared, names = box_settings.sidekiq_workers(self._templar, variables)
        workers = sidekiq_settings.resolve(
            declared,
            terms[0] if terms else {},
            self.get_option("box"),
            variables["inventory_hostname"],
            names,
            box_settings.thresholds(self._templar, variables),
        )
        return [
            [
                {**vars(worker), "check": {"name": worker.name, "text": monit_settings.text(dict(worker.check or {}))}}
                for worker in workers
            ]
        ]
