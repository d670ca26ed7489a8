# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.compare: compare the hosts of a play. Its documentation is modules/compare.py."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.utils.display import Display

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._files import atomic
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import (
    comparison,
    groups as compare_groups,
    spread,
    text as compare_text,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples, store as history_store
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.moment import parse_moment


class ActionModule(FleetAction):
    """Compare the registered results of the previous tasks. No host is asked."""

    _requires_connection = False
    _supports_check_mode = True
    OPTIONS = {
        "health": {"type": "str", "default": "compare_health"},
        "state": {"type": "str", "default": "compare_state"},
        "groups": {"type": "list", "elements": "str"},
        "since": {"type": "str"},
        "ignore": {"type": "list", "elements": "str", "default": []},
        "score": {"type": "float", "default": spread.SCORE},
        "floor": {"type": "float", "default": spread.FLOOR},
        "path": {"type": "path"},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the report, and print it."""
        now = time.time()
        self._check(options)
        since = self._since(options["since"], now)
        read, unreachable = self._read(options, task_vars)
        groups = compare_groups.of_inventory(
            task_vars["hostvars"]._inventory, task_vars["ansible_play_hosts_all"], options["groups"] or ()
        )
        if since is not None:
            self._look_back(read, since, task_vars)
        report: comparison.Report = {
            "made": timestamp(now),
            "since": timestamp(since),
            "groups": comparison.compare(groups, read, options["score"], options["floor"], options["ignore"]),
            "unreachable": [one for one in unreachable if any(one["box"] in boxes for _name, boxes in groups)],
        }
        if options["path"] and not self._task.check_mode:
            _write(options["path"], report)
        text = "\n".join(compare_text.render(report, Display().columns))
        # A callback would print the text as one line of JSON.
        Display().display(text)
        return {"changed": False, "msg": text, "report": report, "_ansible_verbose_override": True}

    @staticmethod
    def _check(options: dict[str, Any]) -> None:
        if options["score"] <= 0:
            raise SettingsError(f"score: out of range ({options['score']:g}); use a number above 0, such as 3.5")
        if not 0 <= options["floor"] < 1000:
            raise SettingsError(
                f"floor: out of range ({options['floor']:g}); use a percentage from 0 to 999, such as 10"
            )

    @staticmethod
    def _since(value: str | None, now: float) -> float | None:
        if value in (None, ""):
            return None
        try:
            return parse_moment(value, now)
        except ValueError as error:
            raise SettingsError(f"since: {error}") from error

    @staticmethod
    def _read(
        options: dict[str, Any], task_vars: dict[str, Any]
    ) -> tuple[dict[str, comparison.Read], list[comparison.UnreachableReport]]:
        """Return the registered results of the two previous tasks by host, and the hosts without them, with the
        reason."""
        read: dict[str, comparison.Read] = {}
        unreachable: list[comparison.UnreachableReport] = []
        for box in task_vars["ansible_play_hosts_all"]:
            variables = task_vars["hostvars"].raw_get(box)
            health, state = (variables.get(options[name]) or {} for name in ("health", "state"))
            missing = next((one for one, key in ((health, "verdict"), (state, "state")) if key not in one), None)
            if missing is not None:
                unreachable.append({"box": box, "reason": _table.down(box, missing).reasons[0]})
                continue
            facts = health["ansible_facts"]
            known, whole = samples.state(facts)
            read[box] = comparison.Read(
                numbers={
                    (sample.metric, sample.subject): sample.value
                    for sample in samples.samples(facts, health["workers"])
                },
                state={**known, **state["state"]},
                whole=(*whole, *state["whole"]),
                unread=state["unread"],
            )
        return read, unreachable

    @staticmethod
    def _look_back(read: dict[str, comparison.Read], since: float, task_vars: dict[str, Any]) -> None:
        """Add what has changed on each host since a time, by its history. Raises HistoryError and SettingsError."""
        by_path: dict[str, list[str]] = {}
        for box in read:
            path = task_vars["hostvars"][box].get("lifeline_history")
            if not path:
                raise SettingsError(
                    f"since: no history of {box}; set lifeline_history to the path of a file, and record now and then"
                )
            by_path.setdefault(str(path), []).append(box)
        for path, boxes in by_path.items():
            with history_store.History(path) as history:
                for box in boxes:
                    read[box].changed = history.changes(box, since)
                    if "kernel" not in history.state(box, at=since):
                        first = history.readings(box, since, "state_info")
                        read[box].known = first[0].taken if first else time.time()


def _write(path: str, report: comparison.Report) -> None:
    """Replace the report at `path`, as JSON. Raises SettingsError."""
    try:
        atomic.replace(path, json.dumps(report, indent=1, sort_keys=True) + "\n", 0o600, follow_links=True)
    except OSError as error:
        raise SettingsError(f"path: cannot write {path} ({error.strerror}); name another file") from error
