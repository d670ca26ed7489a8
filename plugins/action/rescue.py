# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.rescue: look, do the first step that is left, wait what comes of it. Its manual is modules/rescue.py."""

from __future__ import annotations

import re
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import plan as rescue_plan

_OPTIONS = {
    "evidence": {"type": "dict", "required": True},
    "done": {"type": "list", "elements": "str", "default": []},
    "patience": {"type": "float", "default": 180},
    "spared": {"type": "list", "elements": "str", "default": list(rescue_plan.SPARED)},
    "log": {"type": "path"},
}
_HEALTH = "lifeline.fleet.health"
# So long a step's own command may take: what takes longer is begun by it, and waited for.
_COMMAND_SECONDS = 90
_PAUSE = 3
_ATTEMPTS = 3
# What a shell would make something of.
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9 .,:@_-]")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        if not 0 < options["patience"] <= 3600:
            raise AnsibleActionFail(
                f"patience is {options['patience']:g}: it must be more than 0 and at most 3600 seconds"
            )
        looked = self._look_first(task_vars)
        steps, reasons = rescue_plan.plan(looked, options["evidence"], options["spared"])
        left = [step for step in steps if step.name not in options["done"]]
        result.update(
            changed=False,
            step=None,
            plan=[step.name for step in left],
            reasons=reasons,
            verdict=looked["verdict"],
            findings=looked["findings"],
            recovered=rescue_plan.recovered(looked["findings"]),
        )
        try:
            if result["recovered"] or not left:
                result["msg"] = self._nothing(looked, reasons, options)
            elif self._task.check_mode:
                result.update(
                    changed=True, msg=f"would, as long as it is {looked['verdict']}: {'; '.join(result['plan'])}"
                )
            else:
                result.update(self._do(left[0], looked, options, task_vars))
        except SettingsError as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def _nothing(self, looked, reasons, options):
        if looked["verdict"] != "critical":
            return f"it is {looked['verdict']}: nothing is to be done"
        return f"{'nothing more can be done here' if options['done'] else 'nothing can be done here'}: {'; '.join(reasons) or looked['msg']}"

    def _do(self, step, looked, options, task_vars):
        box, critical = (
            task_vars["inventory_hostname"],
            [one["message"] for one in looked["findings"] if one["severity"] == "critical"],
        )
        self._note(options, box, "step", step=step.name, command=step.command, why=critical)
        began = time.monotonic()
        said = self._command(step)
        after = self._wait(step, looked, began + options["patience"], task_vars)
        recovered = after is not None and self._worked(step, looked, after)
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
        told = "it didn't answer any more" if after is None else after["msg"]
        return {
            "changed": True,
            "step": step.name,
            "said": said,
            **outcome,
            "plan": [],
            "msg": f"{step.name}: {'it recovered' if recovered else 'it has not recovered'} after {outcome['seconds']:g} s: {told}",
        }

    def _command(self, step):
        """Run it, and note it in the box's own log as far as that works: whoever looks there later shall not wonder."""
        script = (
            "{ PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; { %s; } 2>&1; timeout -s KILL 3 logger -p daemon.warning -t lifeline-rescue "
            '-- "%s" > /dev/null 2>&1 < /dev/null; }' % (step.command, _UNSPEAKABLE.sub("_", step.name))
        )
        try:
            with deadline(_COMMAND_SECONDS):
                answer = shell.run(self, script)
        except AnsibleConnectionFailure as error:
            # It may have been done nevertheless: what comes of it tells.
            return " ".join(str(error).split())[:500]
        return " ".join((answer["stdout"] + answer["stderr"]).split())[:500]

    def _wait(self, step, before, until, task_vars):
        """What health says as soon as it is good, else what it said at last; None where the box didn't answer any more."""
        while True:
            time.sleep(_PAUSE)
            try:
                looked = self._look(task_vars)
            except (AnsibleConnectionFailure, AnsibleActionFail):
                looked = None
            if looked is not None and self._worked(step, before, looked) or time.monotonic() > until:
                return looked

    @staticmethod
    def _worked(step, before, after):
        """Whether nothing critical is left, and the worker that was to be started anew is not the one that was there before."""
        if not rescue_plan.recovered(after["findings"]):
            return False
        if step.anew is None:
            return True
        pids = [
            {pid for worker in looked["workers"] if worker["name"] == step.anew for pid in worker["pids"]}
            for looked in (before, after)
        ]
        return bool(pids[1]) and not pids[0] & pids[1]

    def _look_first(self, task_vars):
        """A box that is short of memory may miss a look, and is not lost yet."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._look(task_vars)
            except AnsibleConnectionFailure:
                if attempt == _ATTEMPTS - 1:
                    raise
        return None

    def _look(self, task_vars):
        """What health says of the box, by the inventory's own thresholds."""
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
    def _note(options, box, event, **values):
        if options["log"]:
            action_log.append(options["log"], box, event, values)
