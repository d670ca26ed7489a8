# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.supported_system: refuse other systems. modules/supported_system.py documents it."""

from __future__ import annotations

from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import system

_FACT = "lifeline_system"


class ActionModule(FleetAction):
    _requires_connection = True
    _supports_check_mode = True
    OPTIONS = {"role": {"type": "str", "required": True}}

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        # The roles of a play share one look.
        known = task_vars.get("ansible_facts", {}).get(_FACT)
        if known:
            return {"changed": False, "ansible_facts": {_FACT: known}}
        answer = self._low_level_execute_command("cat /etc/os-release")
        if answer["rc"]:
            raise ProbeError(f"role {options['role']}: /etc/os-release cannot be read: {answer['stderr'].strip()}")
        try:
            found = system.supported(answer["stdout"])
        except SettingsError as error:
            raise SettingsError(f"role {options['role']}: {error}") from error
        return {"changed": False, "ansible_facts": {_FACT: found}}
