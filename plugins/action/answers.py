# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.answers: ask for a sign of life over a new connection. See modules/answers.py."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer as probe_answer, shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import down_since

_SCRIPT = "{ read -r u v < /proc/uptime; echo lifeline-answers $u; }"
_WORD = re.compile(r"lifeline-answers (\d+)")
_PAUSE = 3


class ActionModule(FleetAction):
    """Ask whether a host answers over a new connection, and note since when it does not."""

    _requires_connection = True
    _supports_check_mode = True
    OPTIONS = {
        "timeout": {"type": "float", "default": 20},
        "wait": {"type": "float", "default": 45},
        "state": {"type": "path"},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the state of the host: up, down or unclear."""
        for name, most in (("timeout", 300), ("wait", 7200)):
            if not 0 < options[name] <= most:
                raise SettingsError(
                    f"{name}: out of range ({options[name]:g}); use more than 0 and at most {most} seconds"
                )
        began = time.time()
        state, said, uptime = self._ask_until(options["timeout"], options["wait"])
        since = self._since(options["state"], task_vars["inventory_hostname"], state, began)
        seconds = None if since is None else max(0, time.time() - since)
        down = state == probe_answer.DOWN
        return {
            "changed": False,
            "state": state,
            "said": said,
            "uptime_seconds": uptime,
            "down_since": timestamp(since),
            "down_seconds": seconds,
            "msg": f"it has been down for {format_duration(int(seconds or 0))}: {said}" if down else said,
        }

    def _ask_until(self, timeout: float, wait: float) -> tuple[str, str, int | None]:
        """Ask until the host is not down, or for `wait` seconds. Return its state, the reason, and its uptime."""
        until = time.monotonic() + wait
        while True:
            state, said, uptime = self._ask(timeout)
            if state != probe_answer.DOWN or time.monotonic() + _PAUSE > until:
                return state, said, uptime
            time.sleep(_PAUSE)

    def _ask(self, timeout: float) -> tuple[str, str, int | None]:
        try:
            with deadline(timeout):
                # An existing connection would say nothing about new ones.
                shell.reset(self._connection)
                answer = shell.run(self, _SCRIPT)
        except ProbeError as error:
            return probe_answer.UP, f"it answers: {error}", None
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

    def _since(self, path: str | None, box: str, state: str, now: float) -> float | None:
        """Return since when the host has been down, in seconds since 1970, and note it in the file `path`."""
        if state == probe_answer.UNCLEAR or path is None:
            return now if state == probe_answer.DOWN else None
        path = os.path.expanduser(path)
        if self._task.check_mode:
            return down_since.since(path, box, now) if state == probe_answer.DOWN else None
        return down_since.note(path, box, state == probe_answer.DOWN, now)
