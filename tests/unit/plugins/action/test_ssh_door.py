# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm a change with a new connection, to hosts that answer or don't."""

from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.lifeline.fleet.plugins.action import ssh_door

ARMED = {"changed": True, "armed": True, "token": "t1", "ports": [22]}


class Action(ssh_door.ActionModule):
    """The action with answers of the test, one after the other. It repeats the last one."""

    def __init__(self, *answers, reset=None):
        self.answers, self.asked, self.resets = list(answers), [], 0
        self._task_vars, self.failure = {}, reset
        self._connection = types.SimpleNamespace(reset=self.count)

    def count(self):
        self.resets += 1
        if self.failure:
            raise self.failure

    def _execute_module(self, module_name=None, module_args=None, task_vars=None, **_others):
        self.asked.append(module_args)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Replace the clock, so waiting takes no time."""
    now = [0.0]
    monkeypatch.setattr(
        ssh_door,
        "time",
        types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds)),
    )


LOST = AnsibleConnectionFailure("Connection timed out")


def test_the_connection_is_dropped_before_the_token_is_shown():
    action = Action({"changed": True, "confirmed": True, "connection": {"user": "ops"}})
    answer = action._confirm("t1", 60, dict(ARMED))
    assert action.resets == 1 and action.asked == [{"confirm": "t1"}]
    assert answer["confirmed"] is True and answer["connection"] == {"user": "ops"}


def test_a_network_that_fails_once_is_tried_again():
    action = Action(LOST, LOST, {"changed": True})
    assert action._confirm("t1", 60, dict(ARMED))["confirmed"] is True
    assert action.resets == 3


def test_what_kept_it_out_is_told_with_what_the_box_did():
    answer = Action(LOST, {"failed": True, "msg": "put back"})._confirm("t1", 60, dict(ARMED))
    assert answer["failed"] and not answer["changed"] and not answer["confirmed"]
    assert answer["msg"] == "put back. New connections failed: Connection timed out"


def test_a_box_that_never_answers_again_is_unreachable():
    answer = Action(LOST)._confirm("t1", 60, dict(ARMED))
    assert answer["failed"] and answer["unreachable"] and "Connection timed out" in answer["msg"]


def test_a_connection_that_can_t_be_reset_is_for_the_box_to_judge():
    action = Action({"failed": True, "msg": "this is not a new connection"}, reset=AnsibleError("no reset"))
    assert action._confirm("t1", 60, dict(ARMED))["failed"]


def test_another_run_is_waited_for_but_not_for_ever():
    busy = {"failed": True, "busy": True, "msg": "another run"}
    assert Action(busy, busy, {"changed": False})._change({}, 60) == {"changed": False}
    assert Action(busy)._change({}, 60) == {"failed": True, "msg": "another run"}
