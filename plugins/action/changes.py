# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.changes: find the changes since the last check. Its documentation is modules/changes.py."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_duration, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import json_file
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import watch


class ActionModule(FleetAction):
    """Compare the results of health with the known state, and keep that state in a file on the controller."""

    _requires_connection = False
    _supports_check_mode = True
    OPTIONS = {
        "looked": {"type": "str", "required": True},
        "boxes": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "path", "required": True},
        "settle": {"type": "int", "default": 2},
        "remind": {"type": "str", "default": "30m"},
        "report": {"type": "path"},
        "rescue": {"type": "bool", "default": False},
        "rescue_window": {"type": "str", "default": "15m"},
        "rescue_most": {"type": "int", "default": 6},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the changes, and the hosts that may be rescued."""
        remind, window = _seconds(options, "remind"), _seconds(options, "rescue_window")
        for name, least in (("settle", 1), ("rescue_most", 1)):
            if options[name] < least:
                raise SettingsError(f"{name}: too small ({options[name]}); use at least {least}")
        known, aside = json_file.read(options["state"], watch.check)
        known = known or watch.empty()
        looks = self._looks(options, task_vars["hostvars"])
        now = time.time()
        said, known = watch.changes(known, looks, now, options["settle"], remind)
        chosen: list[str] = []
        held: dict[str, str] = {}
        if options["rescue"]:
            chosen, held, known = watch.rescues(known, looks, now, window, options["rescue_most"])
        said = [
            {
                **change,
                "time": timestamp(change["time"]),
                "since": timestamp(change["since"]),
                "text": watch.tell(change),
            }
            for change in said
        ]
        if not self._task.check_mode:
            json_file.write(options["state"], known)
            if options["report"]:
                json_file.write(options["report"], {"time": timestamp(now), "boxes": len(looks), "changes": said})
        return {
            "changed": False,
            "changes": said,
            "boxes": len(looks),
            "rescue": chosen,
            "held": held,
            "msg": [change["text"] for change in said] or f"{len(looks)} boxes, nothing new",
            **({"warnings": [aside]} if aside else {}),
        }

    @staticmethod
    def _looks(options: dict[str, Any], hostvars: Any) -> dict[str, Any]:
        """Return the findings of health by host. A host that was not asked is left out: its play has ended early."""
        looks = {}
        for box in options["boxes"]:
            values = hostvars[box]
            if options["looked"] in values:
                looks[box] = watch.findings(box, values[options["looked"]])
        return looks


def _seconds(options: dict[str, Any], name: str) -> float:
    try:
        return parse_duration(options[name])
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error
