# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.state_info: read a host's state in one round trip. See modules/state_info.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell, state as host_state, state_script
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings

# No part begins in the last seconds of the deadline, because a running part needs time to end.
_LAST = 30


class ActionModule(FleetAction):
    _requires_connection = True
    _supports_check_mode = True
    OPTIONS = {
        "workers": {"type": "list", "elements": "dict", "default": []},
        "app_path": {"type": "str"},
        "deadline": {"type": "float", "default": 90},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        workers = self._workers(options["workers"])
        apps = self._apps(options["app_path"], task_vars)
        if options["deadline"] <= _LAST:
            raise SettingsError(f"deadline: too short ({options['deadline']:g}); use more than {_LAST} seconds")
        pids = [pid for worker in workers for pid in worker["pids"]]
        script = state_script.script(options["deadline"] - _LAST, pids, apps)
        with deadline(options["deadline"]):
            answer = shell.run(self, script)
        parts = state_script.parts(answer["stdout"], answer["stderr"])
        state, whole, unread = host_state.parse(parts, workers, bool(apps))
        with Recorder(self._task, self._templar, task_vars) as recorder:
            recorder.record(Reading(recorder.box, "state_info", state=state, whole=whole))
        return {
            "changed": False,
            "state": state,
            "whole": list(whole),
            "unread": unread,
            "msg": _summary(state, unread),
            # The result has thousands of names: callbacks must not print it, not even with -v.
            "_ansible_verbose_override": True,
        }

    @staticmethod
    def _workers(workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the option `workers` as it is. Raises SettingsError if one has no name or no pids."""
        for number, worker in enumerate(workers):
            pids = worker.get("pids")
            if (
                not isinstance(worker.get("name"), str)
                or not isinstance(pids, list)
                or not all(isinstance(pid, int) for pid in pids)
            ):
                raise SettingsError(
                    f"workers[{number}]: no name or no list of pids ({worker!r}); pass the workers that health returned"
                )
        return workers

    def _apps(self, option: str | None, task_vars: dict[str, Any]) -> list[str]:
        """Return the paths of the applications: the option, or those of the inventory's workers."""
        if option is not None:
            return [option] if option else []
        declared = box_settings.sidekiq_workers(self._templar, task_vars)[0]
        return list(dict.fromkeys(worker["app_path"] for worker in declared if worker.get("app_path")))


def _summary(state: dict[str, str], unread: list[str]) -> str:
    counts = [
        f"{sum(name.startswith(kind + ':') for name in state)} {kind}s" for kind in ("package", "sysctl", "unit", "gem")
    ]
    text = f"{state.get('os', 'an unknown system')}, kernel {state.get('kernel', 'unknown')}, {', '.join(counts)}"
    return f"{text}; not read: {', '.join(unread)}" if unread else text
