# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.only_run: allow one run of a playbook at a time. Its documentation is modules/only_run.py."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run


class ActionModule(FleetAction):
    _requires_connection = False
    _supports_check_mode = True
    OPTIONS = {"path": {"type": "path", "required": True}}

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        # Ansible forks a process per task; its parent is the process of the run.
        other = only_run.take(options["path"], os.getppid())
        if other is None:
            return {"changed": False, "alone": True, "msg": "this run is the only one"}
        return {
            "changed": False,
            "alone": False,
            "msg": (
                f"another run (pid {other['pid']}, since {timestamp(other['since'])}) has not ended yet: "
                "this run leaves the boxes to it"
            ),
        }
