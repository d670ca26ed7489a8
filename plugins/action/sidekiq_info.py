# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action behind lifeline.fleet.sidekiq_info: run the module, take the rate from the history, record the result."""

from __future__ import annotations

import time

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import rate as sidekiq_rate
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import throughput as throughput_history
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading


class ActionModule(Normal):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if result.get("failed") or "sidekiq" not in result:
            return result
        # Readings in the history are timed with the controller's clock, so both ends of the rate must be.
        now, reading = time.time(), result["reading"]
        with throughput_history.recorder(self._task, self._templar, task_vars) as recorder:
            if recorder and not any(self._task.args.get(option) for option in ("since", "interval")):
                earlier = recorder.ask(
                    lambda history: throughput_history.before(history, recorder.box, result["asked"], now), None
                )
                rate, missing = sidekiq_rate.rate(
                    earlier, {"time": now, "processed": reading["processed"], "failed": reading["failed"]}
                )
                result.update(rate=rate, rate_missing=missing, msg=sidekiq_rate.summary(result["sidekiq"], rate))
            recorder.record_result(
                lambda: Reading(recorder.box, "sidekiq_info", now, samples=throughput_history.sidekiq_samples(result))
            )
        return result
