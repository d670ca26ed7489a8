# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.report: write one HTML page about a fleet. Its documentation is modules/report.py."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import groups as compare_groups
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import settings
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import gather, page as report_page
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import Fleet

_MOST_DAYS = 366


class ActionModule(FleetAction):
    """Write the page on the controller. No host is asked."""

    _requires_connection = False
    OPTIONS = {
        "path": {"type": "path", "required": True},
        "boxes": {"type": "list", "elements": "str", "required": True},
        "readings": {"type": "str"},
        "days": {"type": "float", "default": 7},
        "mode": {"type": "str", "default": "0644"},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the path of the page and the number of hosts of each verdict."""
        path, mode = _place(options["path"]), _mode(options["mode"])
        if not 0 < options["days"] <= _MOST_DAYS:
            raise SettingsError(
                f"days: out of range ({options['days']:g}); use a number above 0 and at most {_MOST_DAYS}"
            )
        if not options["boxes"]:
            raise SettingsError(
                'boxes: the list is empty; name the hosts of the report, such as "{{ ansible_play_hosts_all }}"'
            )
        fleet = self._gather(options, task_vars)
        page = report_page.render(fleet).encode()
        if not self._task.check_mode:
            try:
                atomic.replace(path, page, mode, follow_links=True)
            except OSError as error:
                raise SettingsError(f"path: cannot write {path} ({error.strerror}); name another file") from error
        counts = {verdict: sum(box.verdict == verdict for box in fleet.boxes) for verdict in _table.VERDICTS}
        return {
            "changed": True,
            "path": path,
            "size": len(page),
            "counts": counts,
            "msg": f"{path} ({_table.count(fleet.boxes)})",
        }

    def _gather(self, options: dict[str, Any], task_vars: dict[str, Any]) -> Fleet:
        found: dict[str, Mapping[str, Any]] = {}
        if options["readings"]:
            hostvars = task_vars["hostvars"]
            for name in options["boxes"]:
                reading = hostvars.raw_get(name).get(options["readings"]) if name in hostvars else None
                if isinstance(reading, dict) and not reading.get("skipped"):
                    found[name] = reading
        path, _bounds = settings(self._templar, task_vars)
        with ExitStack() as stack:
            history = None
            # Before the first reading is recorded, there is no file.
            if path is not None and (not found or os.path.exists(os.path.expanduser(path))):
                history = stack.enter_context(History(path))
            if history is None and not found:
                raise SettingsError("nothing to report: no host was asked; set lifeline_history to report the past")
            groups = compare_groups.of_inventory(task_vars["hostvars"]._inventory, options["boxes"])
            return gather.gather(options["boxes"], found, history, time.time(), options["days"], groups)


def _place(path: str) -> str:
    path = os.path.abspath(path)
    if os.path.isdir(path):
        raise SettingsError(f"path: a folder ({path}); name a file in it, such as {os.path.join(path, 'report.html')}")
    return path


def _mode(text: str) -> int:
    # YAML reads 0644 without quotes as the number 420.
    if not re.fullmatch("0[0-7]{3}", text):
        raise SettingsError(f"mode: not a file mode ({text!r}); give four octal digits in quotes, such as '0644'")
    return int(text, 8)
