# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.rescue: look at a host and take one step to rescue it. See modules/rescue.py."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import plan as rescue_plan
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings

_HEALTH = "lifeline.fleet.health"
# The limit of a step's command. Services are restarted with --no-block and waited for afterwards.
_COMMAND_SECONDS = 90
_PAUSE = 3
_ATTEMPTS = 3
# The name of a step goes into a shell's quotes.
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9 .,:@_-]")


class ActionModule(FleetAction):
    _requires_connection = True
    _supports_check_mode = True
    OPTIONS = {
        "evidence": {"type": "dict", "required": True},
        "done": {"type": "list", "elements": "str", "default": []},
        "patience": {"type": "float", "default": 180},
        "spared": {"type": "list", "elements": "str", "default": list(rescue_plan.SPARED)},
        "end_processes": {"type": "bool", "default": False},
        "log": {"type": "path"},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if not 0 < options["patience"] <= 3600:
            raise SettingsError(
                f"patience: out of range ({options['patience']:g}); use more than 0 and at most 3600 seconds"
            )
        restart_commands = box_settings.restart_commands(self._templar, task_vars)
        looked = self._look_first(task_vars)
        steps, reasons = rescue_plan.plan(
            looked, options["evidence"], options["spared"], restart_commands, options["end_processes"]
        )
        left = [step for step in steps if step.name not in options["done"]]
        result = {
            "changed": False,
            "step": None,
            "plan": [step.name for step in left],
            "reasons": reasons,
            "verdict": looked["verdict"],
            "findings": looked["findings"],
            "recovered": rescue_plan.recovered(looked["findings"]),
        }
        if result["recovered"] or not left:
            result["msg"] = _nothing(looked, reasons, bool(options["done"]))
        elif self._task.check_mode:
            result["changed"] = True
            result["msg"] = f"would take these steps while it is {looked['verdict']}: {'; '.join(result['plan'])}"
        else:
            result.update(self._do(left[0], looked, options, task_vars))
        return result

    def _do(
        self, step: rescue_plan.Step, looked: dict[str, Any], options: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Take the step and wait until the host has recovered or the patience is over."""
        box = task_vars["inventory_hostname"]
        critical = [one["message"] for one in looked["findings"] if one["severity"] == "critical"]
        self._note(options, box, "step", step=step.name, command=step.command, why=critical)
        began = time.monotonic()
        said = self._command(step)
        after = self._wait(step, looked, began + options["patience"], task_vars)
        recovered = after is not None and _worked(step, looked, after)
        outcome = {
            "verdict": "down" if after is None else after["verdict"],
            "findings": [] if after is None else after["findings"],
            "recovered": recovered,
            "seconds": round(time.monotonic() - began, 1),
        }
        self._note(
            options,
            box,
            "recovered" if recovered else "not recovered",
            step=step.name,
            said=said,
            verdict=outcome["verdict"],
            seconds=outcome["seconds"],
            findings=[one["message"] for one in outcome["findings"]],
        )
        told = "it stopped answering" if after is None else after["msg"]
        came = "it recovered" if recovered else "it has not recovered"
        return {
            "changed": True,
            "step": step.name,
            "said": said,
            **outcome,
            "plan": [],
            "msg": f"{step.name}: {came} after {outcome['seconds']:g} s: {told}",
        }

    def _command(self, step: rescue_plan.Step) -> str:
        """Run the step's command, and note it in the host's own log if that works. Returns what it printed."""
        name = _UNSPEAKABLE.sub("_", step.name)
        log = f'timeout -s KILL 3 logger -p daemon.warning -t lifeline-rescue -- "{name}" > /dev/null 2>&1 < /dev/null'
        script = f"{{ PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; {{ {step.command}; }} 2>&1; {log}; }}"
        try:
            with deadline(_COMMAND_SECONDS):
                answer = shell.run(self, script)
        except AnsibleConnectionFailure as error:
            # The command may have run nevertheless; the next probe shows it.
            return escape(" ".join(str(error).split())[:500])
        return escape(" ".join((answer["stdout"] + answer["stderr"]).split())[:500])

    def _wait(
        self, step: rescue_plan.Step, before: dict[str, Any], until: float, task_vars: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Look again until the step has worked or the time is over. Return the last look, or None after silence."""
        while True:
            time.sleep(_PAUSE)
            try:
                looked = self._look(task_vars)
            except (AnsibleConnectionFailure, AnsibleActionFail):
                looked = None
            if (looked is not None and _worked(step, before, looked)) or time.monotonic() > until:
                return looked

    def _look_first(self, task_vars: dict[str, Any]) -> Any:
        """Check the host, several times if it is silent, because a host that is short of memory may miss a check."""
        for _attempt in range(_ATTEMPTS - 1):
            try:
                return self._look(task_vars)
            except AnsibleConnectionFailure:
                continue
        return self._look(task_vars)

    def _look(self, task_vars: dict[str, Any]) -> Any:
        """Return what `health` says of the host by the inventory's own thresholds."""
        task = self._task.copy()
        task.args = {}
        action = self._shared_loader_obj.action_loader.get(
            _HEALTH,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return action.run(task_vars=task_vars)

    @staticmethod
    def _note(options: dict[str, Any], box: str, event: str, **values: Any) -> None:
        if options["log"]:
            action_log.append(options["log"], box, event, values)


def _nothing(looked: dict[str, Any], reasons: list[str], tried: bool) -> str:
    """Return why no step is taken."""
    if looked["verdict"] != "critical":
        return f"it is {looked['verdict']}: no step is needed"
    done = "no further step can help" if tried else "no step can help"
    return f"{done}: {'; '.join(reasons) or looked['msg']}"


def _worked(step: rescue_plan.Step, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Return whether nothing critical is left, and the worker that the step restarts has only new processes."""
    if not rescue_plan.recovered(after["findings"]):
        return False
    if step.anew is None:
        return True
    old, new = (
        {pid for worker in looked["workers"] if worker["name"] == step.anew for pid in worker["pids"]}
        for looked in (before, after)
    )
    return bool(new) and not old & new
