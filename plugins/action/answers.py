# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.answers: come in anew and ask for a word. Its manual is modules/answers.py."""

from __future__ import annotations

import os
import re
import time

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._units import format_duration, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _answer, _down_since, _shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._errors import SettingsError

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
                raise AnsibleActionFail("%s is %g: it must be more than 0 and at most %d seconds" % (name, options[name], most))
        began = time.time()
        state, said, uptime = self._ask_until(options["timeout"], options["wait"])
        try:
            since = self._since(options["state"], task_vars["inventory_hostname"], state, began)
        except SettingsError as error:
            raise AnsibleActionFail(str(error)) from error
        seconds = None if since is None else max(0, time.time() - since)
        result.update(changed=False, state=state, said=said, uptime_seconds=uptime, down_since=timestamp(since), down_seconds=seconds,
                      msg={_answer.UP: said, _answer.UNCLEAR: said}.get(
                          state, "it has been down for %s: %s" % (format_duration(int(seconds or 0)), said)))
        return result

    def _ask_until(self, timeout, wait):
        """Ask until it answers or has been asked long enough."""
        until = time.monotonic() + wait
        while True:
            state, said, uptime = self._ask(timeout)
            if state != _answer.DOWN or time.monotonic() + _PAUSE > until:
                return state, said, uptime
            time.sleep(_PAUSE)

    def _ask(self, timeout):
        try:
            with deadline(timeout):
                # A connection that stands from before answers for nobody.
                _shell.reset(self._connection)
                answer = _shell.run(self, _SCRIPT)
        except AnsibleConnectionFailure as error:
            return (*_answer.judge(str(error)), None)
        word = _WORD.search(answer["stdout"])
        if word is None:
            return _answer.UP, "it answers, with %r" % " ".join((answer["stdout"] + answer["stderr"]).split())[:200], None
        return _answer.UP, "it answers", int(word.group(1))

    def _since(self, path, box, state, now):
        if state == _answer.UNCLEAR or path is None:
            return now if state == _answer.DOWN else None
        path = os.path.expanduser(path)
        if self._task.check_mode:
            return _down_since.since(path, box, now) if state == _answer.DOWN else None
        return _down_since.note(path, box, state == _answer.DOWN, now)
