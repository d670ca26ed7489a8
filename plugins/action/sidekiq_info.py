# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.sidekiq_info: the module's answer, recorded, with the rate since the last one. Its manual is the module's."""

from __future__ import annotations

import time

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import state as sidekiq_state
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import throughput as throughput_history


class ActionModule(Normal):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        if result.get("failed") or "sidekiq" not in result:
            return result
        # Both ends of the rate are told by the same clock, which is this machine's.
        now = time.time()
        with throughput_history.recorder(self._task, self._templar, task_vars) as recorder:
            if recorder and not any(self._task.args.get(option) for option in ("since", "interval")):
                earlier = recorder.ask(
                    lambda history: throughput_history.before(history, recorder.box, result["asked"], now), None
                )
                rate, missing = sidekiq_state.rate(earlier, dict(result["reading"], time=now))
                result.update(rate=rate, rate_missing=missing, msg=sidekiq_state.summary(result["sidekiq"], rate))
            recorder.record(source="sidekiq_info", taken=now, samples=throughput_history.sidekiq_samples(result))
        return result
