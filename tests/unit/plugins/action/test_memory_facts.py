# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the fact modules: what it records of a module's result."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.lifeline.fleet.plugins.action import memory_facts
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

MEMORY = {
    "limit_bytes": 100,
    "limit_available_bytes": 40,
    "slab_unreclaimable_bytes": None,
    "overcommit_mode": 0,
    "swap": {"total_bytes": 0, "used_bytes": 0},
}


class Templar:
    def template(self, value):
        return value


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "history.db")


@pytest.fixture
def run(monkeypatch, path):
    """Return a function that runs the action for a module that returns what it is given."""

    def run(result, **variables):
        monkeypatch.setattr(memory_facts.Normal, "run", lambda self, tmp=None, task_vars=None: result)
        action = memory_facts.ActionModule.__new__(memory_facts.ActionModule)
        action._task = SimpleNamespace(action="lifeline.fleet.memory_facts", check_mode=False, delegate_to=None)
        action._templar = Templar()
        assert action.run(None, {"inventory_hostname": "web1", **variables}) is result

    return run


def test_facts_are_recorded_under_the_module_s_name(run, path):
    run({"ansible_facts": {"lifeline_memory": MEMORY}}, lifeline_history=path)
    with History(path) as history:
        (reading,) = history.readings()
        assert (reading.box, reading.source, reading.verdict) == ("web1", "memory_facts", None)
        assert [(sample.metric, sample.value) for sample in history.samples(reading.reading)] == [
            ("memory_used_bytes", 60)
        ]
        assert history.state("web1") == {"memory_bytes": 100, "swap_bytes": 0, "overcommit": 0}


@pytest.mark.parametrize("result", [{"failed": True, "ansible_facts": {"lifeline_memory": MEMORY}}, {"started": 1}, {}])
def test_a_result_without_facts_is_not_recorded(run, path, result):
    run(result, lifeline_history=path)
    assert not History(path).exists()


def test_without_a_history_the_result_is_the_module_s(run):
    run({"ansible_facts": {"lifeline_memory": MEMORY}})


@pytest.mark.parametrize("memory", [None, [], "text", {}, {**MEMORY, "swap": 7}, {**MEMORY, "limit_bytes": "x"}])
def test_facts_of_an_unexpected_shape_do_not_fail_the_task(run, path, memory):
    run({"ansible_facts": {"lifeline_memory": memory}}, lifeline_history=path)
    with History(path) as history:
        assert history.readings() == []
