# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.only_run: allow one run of a playbook at a time. See modules/only_run.py."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import (
    format_duration,
    parse_duration,
    timestamp,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run


class ActionModule(FleetAction):
    _requires_connection = False
    _supports_check_mode = True
    OPTIONS = {"path": {"type": "path", "required": True}, "longest": {"type": "str", "default": "1h"}}

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        try:
            longest = parse_duration(options["longest"])
        except ValueError as error:
            raise SettingsError(f"longest: {error}") from error
        # Ansible forks a process per task; its parent is the process of the run.
        other = only_run.take(options["path"], os.getppid())
        if other is None:
            return {"changed": False, "alone": True, "stuck": False, "msg": "this run is the only one"}
        age = max(0.0, time.time() - other["since"])
        stuck = age > longest
        told = f"another run (pid {other['pid']}, since {timestamp(other['since'])}, {format_duration(age)})"
        advice = f"end it: kill {other['pid']}" if stuck else "this run leaves the boxes to it"
        return {
            "changed": False,
            "alone": False,
            "stuck": stuck,
            "msg": f"{told} has not ended yet: {advice}",
        }
