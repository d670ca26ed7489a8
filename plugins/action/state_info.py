# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.state_info: what a box is made of, in one round trip. Its manual is modules/state_info.py."""

from __future__ import annotations

import secrets

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell, state as host_state, state_script
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings

_OPTIONS = {
    "workers": {"type": "list", "elements": "dict", "default": []},
    "app_path": {"type": "str"},
    "deadline": {"type": "float", "default": 90},
}
# Of the time that a box has, so much is for the part that is being read when the rest of it is over.
_LAST = 30


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        try:
            workers = self._workers(options["workers"])
            apps = self._apps(options["app_path"], task_vars)
            if options["deadline"] <= _LAST:
                raise SettingsError(f"deadline is {options['deadline']:g}: it must be more than {_LAST} seconds")
            word = secrets.token_hex(8)
            script = state_script.script(
                word, options["deadline"] - _LAST, [pid for worker in workers for pid in worker["pids"]], apps
            )
            with deadline(options["deadline"]):
                answer = shell.run(self, script)
            parts = state_script.parts(answer["stdout"], answer["stderr"], word)
        except (SettingsError, ProbeError) as error:
            raise AnsibleActionFail(str(error)) from error
        state, whole, unread = host_state.parse(parts, workers, bool(apps))
        with Recorder(self._task, self._templar, task_vars) as recorder:
            recorder.record(source="state_info", state=state, whole=whole)
        result.update(changed=False, state=state, whole=list(whole), unread=unread, msg=_summary(state, unread))
        # Thousands of names are nothing to read, not even with -v.
        result["_ansible_verbose_override"] = True
        return result

    @staticmethod
    def _workers(workers):
        for number, worker in enumerate(workers):
            pids = worker.get("pids")
            if (
                not isinstance(worker.get("name"), str)
                or not isinstance(pids, list)
                or not all(isinstance(pid, int) for pid in pids)
            ):
                raise SettingsError(
                    f"workers[{number}] is {worker!r}: it must have a name and a list of pids, as health returns them"
                )
        return workers

    def _apps(self, option, task_vars):
        """The paths of the applications, as the inventory gives them where the option doesn't."""
        if option is not None:
            return [option] if option else []
        declared = box_settings.sidekiq_workers(self._templar, task_vars)[0]
        return list(dict.fromkeys(worker["app_path"] for worker in declared if worker.get("app_path")))


def _summary(state, unread):
    text = "%s, kernel %s, %d packages, %d sysctls, %d units, %d gems" % (
        state.get("os", "an unknown system"),
        state.get("kernel", "unknown"),
        *(sum(name.startswith(prefix) for name in state) for prefix in ("package:", "sysctl:", "unit:", "gem:")),
    )
    return text + ("; not read: " + ", ".join(unread) if unread else "")
