# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.ssh_door: change, come in anew, confirm. Its manual is modules/ssh_door.py."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell

_MODULE = "lifeline.fleet.ssh_door"
# A box that puts back how it was has this many seconds more to do so.
_GRACE = 60


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        options = dict(self._task.args)
        try:
            window = int(options.get("window", 60))
        except ValueError:
            window = 60  # the module refuses it
        answer = self._change(options, window)
        token = answer.pop("token", None)
        if answer.pop("armed", False):
            answer = self._confirm(token, window, answer)
        result.update(answer)
        return result

    def _change(self, options, window):
        """The first call, as soon as no other run's changes wait to be confirmed."""
        deadline = time.monotonic() + window + _GRACE
        while True:
            answer = self._execute_module(module_name=_MODULE, module_args=options, task_vars=self._task_vars)
            if not answer.pop("busy", False) or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    def _confirm(self, token, window, answer):
        """Call again over new connections until one comes in, or until the box has put back how it was."""
        deadline = time.monotonic() + window + _GRACE
        kept_out = None
        while True:
            shell.reset(self._connection)
            try:
                confirmed = self._execute_module(
                    module_name=_MODULE, module_args={"confirm": token}, task_vars=self._task_vars
                )
            except AnsibleConnectionFailure as error:
                kept_out = " ".join(str(error).split())
                if time.monotonic() > deadline:
                    return dict(
                        answer,
                        failed=True,
                        unreachable=True,
                        confirmed=False,
                        msg=(
                            f"the changes kept this controller out, and {_GRACE} s after the box was to put back how it was it doesn't answer: {kept_out}"
                        ),
                    )
                time.sleep(1)
                continue
            if confirmed.get("failed"):
                said = confirmed.get("msg", "the module failed")
                if kept_out:
                    said = f"{said}. What came of new connections: {kept_out}"
                return dict(confirmed, changed=False, confirmed=False, msg=said)
            return dict(answer, confirmed=True, connection=confirmed.get("connection"))
