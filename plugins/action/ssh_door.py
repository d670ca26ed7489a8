# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the action lifeline.fleet.ssh_door: change, open a new connection, confirm. modules/ssh_door.py documents it."""

from __future__ import annotations

import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import shell

_MODULE = "lifeline.fleet.ssh_door"
# Seconds for the host to restore the previous state after the time to confirm is over.
_GRACE = 60


class ActionModule(ActionBase):
    """Change how SSH is reached, and confirm it with a new connection."""

    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        options = dict(self._task.args)
        try:
            window = int(options.get("window", 60))
        except ValueError:
            window = 60  # the module reports the wrong value
        answer = self._change(options, window)
        token = answer.pop("token", None)
        if answer.pop("armed", False):
            answer = self._confirm(token, window, answer)
        result.update(answer)
        return result

    def _change(self, options, window):
        """Make the first call, as soon as no changes of another run wait to be confirmed."""
        deadline = time.monotonic() + window + _GRACE
        while True:
            answer = self._execute_module(module_name=_MODULE, module_args=options, task_vars=self._task_vars)
            if not answer.pop("busy", False) or time.monotonic() > deadline:
                return answer
            time.sleep(1)

    def _confirm(self, token, window, answer):
        """Call again over new connections until one succeeds, or until the host has restored the previous state."""
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
                            f"the changes locked out this controller, and the host does not answer {_GRACE} s after it "
                            f"should have restored the previous state: {kept_out}"
                        ),
                    )
                time.sleep(1)
                continue
            if confirmed.get("failed"):
                said = confirmed.get("msg", "the module failed")
                if kept_out:
                    said = f"{said}. New connections failed: {kept_out}"
                return dict(confirmed, changed=False, confirmed=False, msg=said)
            return dict(answer, confirmed=True, connection=confirmed.get("connection"))
