# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of the fact modules have in common: run the module as Ansible does, and record what it has read."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder


class FactsAction(Normal):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        facts = result.get("ansible_facts")
        if facts and not result.get("failed"):
            with Recorder(self._task, self._templar, task_vars) as recorder:
                if recorder:
                    state, whole = samples.state(facts)
                    recorder.record(
                        source=self._task.action.rpartition(".")[2],
                        samples=samples.samples(facts),
                        kills=samples.kills(facts),
                        state=state,
                        whole=whole,
                    )
        return result
