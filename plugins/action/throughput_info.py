# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action behind lifeline.fleet.throughput_info: run the module and record its result in the history."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import throughput as throughput_history
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading


class ActionModule(Normal):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if result.get("failed") or "hours" not in result:
            return result
        with throughput_history.recorder(self._task, self._templar, task_vars) as recorder:
            table = self._task.args.get("table")
            recorder.record_result(
                lambda: Reading(
                    recorder.box,
                    "throughput_info",
                    samples=throughput_history.throughput_samples(result, table),
                    findings=result["findings"],
                )
            )
        return result
