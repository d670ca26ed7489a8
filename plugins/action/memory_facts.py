# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the six fact modules that have a history: run the module as Ansible does, and record what it read.

`meta/runtime.yml` names it as the `action_plugin` of the other five. A `redirect` would not do: Ansible then looks up
`module_defaults` by the name of the target, and the defaults of all six are mixed up.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action.normal import ActionModule as Normal

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import AnyFacts
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.recorder import Recorder
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading


class ActionModule(Normal):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        facts = result.get("ansible_facts")
        if facts and not result.get("failed"):
            with Recorder(self._task, self._templar, task_vars or {}) as recorder:
                recorder.record_result(lambda: _reading(recorder.box, self._task.action, facts))
        return result


def _reading(box: str, action: str, facts: AnyFacts) -> Reading:
    state, whole = samples.state(facts)
    return Reading(
        box,
        action.rpartition(".")[2],
        samples=samples.samples(facts),
        kills=samples.kills(facts),
        state=state,
        whole=whole,
    )
