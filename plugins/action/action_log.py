# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.action_log: log on the controller. Its documentation is modules/action_log.py."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log


class ActionModule(FleetAction):
    _supports_check_mode = True
    OPTIONS = {
        "path": {"type": "path", "required": True},
        "event": {"type": "str", "required": True},
        "values": {"type": "dict", "default": {}},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if not self._task.check_mode:
            path = os.path.expanduser(options["path"])
            action_log.append(path, task_vars["inventory_hostname"], options["event"], options["values"])
        return {"changed": True}
