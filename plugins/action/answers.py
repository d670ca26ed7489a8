# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.answers: come in anew and ask for a word. Its manual is modules/answers.py."""

from __future__ import annotations

import os
import re
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer as probe_answer, shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import down_since

_OPTIONS = {
    "timeout": {"type": "float", "default": 20},
    "wait": {"type": "float", "default": 45},
    "state": {"type": "path"},
}
_SCRIPT = "{ read -r u v < /proc/uptime; echo lifeline-answers $u; }"
_WORD = re.compile(r"lifeline-answers (\d+)")
_PAUSE = 3


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        for name, most in (("timeout", 300), ("wait", 7200)):
            if not 0 < options[name] <= most:
                raise AnsibleActionFail(
                    f"{name} is {options[name]:g}: it must be more than 0 and at most {most} seconds"
                )
        began = time.time()
        state, said, uptime = self._ask_until(options["timeout"], options["wait"])
        try:
            since = self._since(options["state"], task_vars["inventory_hostname"], state, began)
        except SettingsError as error:
            raise AnsibleActionFail(str(error)) from error
        seconds = None if since is None else max(0, time.time() - since)
        result.update(
            changed=False,
            state=state,
            said=said,
            uptime_seconds=uptime,
            down_since=timestamp(since),
            down_seconds=seconds,
            msg={probe_answer.UP: said, probe_answer.UNCLEAR: said}.get(
                state, f"it has been down for {format_duration(int(seconds or 0))}: {said}"
            ),
        )
        return result

    def _ask_until(self, timeout, wait):
        """Ask until it answers or has been asked long enough."""
        until = time.monotonic() + wait
        while True:
            state, said, uptime = self._ask(timeout)
            if state != probe_answer.DOWN or time.monotonic() + _PAUSE > until:
                return state, said, uptime
            time.sleep(_PAUSE)

    def _ask(self, timeout):
        try:
            with deadline(timeout):
                # A connection that stands from before answers for nobody.
                shell.reset(self._connection)
                answer = shell.run(self, _SCRIPT)
        except AnsibleConnectionFailure as error:
            return (*probe_answer.judge(str(error)), None)
        word = _WORD.search(answer["stdout"])
        if word is None:
            return (
                probe_answer.UP,
                f"it answers, with {' '.join((answer['stdout'] + answer['stderr']).split())[:200]!r}",
                None,
            )
        return probe_answer.UP, "it answers", int(word.group(1))

    def _since(self, path, box, state, now):
        if state == probe_answer.UNCLEAR or path is None:
            return now if state == probe_answer.DOWN else None
        path = os.path.expanduser(path)
        if self._task.check_mode:
            return down_since.since(path, box, now) if state == probe_answer.DOWN else None
        return down_since.note(path, box, state == probe_answer.DOWN, now)
