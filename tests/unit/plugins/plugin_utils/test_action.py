# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base class of the actions: checked options in, a result or one clear failure out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError, ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction


class Double(FleetAction):
    OPTIONS = {"number": {"type": "int", "required": True}}

    def act(self, options, task_vars):
        if options["number"] < 0:
            raise task_vars["error"]
        return {"changed": False, "double": 2 * options["number"], "box": task_vars.get("inventory_hostname")}


def action(**arguments):
    task = SimpleNamespace(
        args=arguments, action="lifeline.fleet.double", async_val=0, check_mode=False, diff=False, environment=None
    )
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    return Double(task, connection, SimpleNamespace(), None, None, None)


def test_options_are_converted_and_the_result_is_what_act_returned():
    result = action(number="4").run(task_vars={"inventory_hostname": "crawler1"})
    assert (result["changed"], result["double"], result["box"]) == (False, 8, "crawler1")


def test_task_variables_may_be_missing():
    assert action(number=1).run()["box"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "missing required arguments: number"),
        ({"number": "four"}, "'four'"),
        ({"number": 1, "numbr": 2}, "Unsupported parameters"),
    ],
)
def test_options_that_are_wrong_are_refused(arguments, words):
    with pytest.raises(AnsibleActionFail, match=words):
        action(**arguments).run(task_vars={})


@pytest.mark.parametrize("kind", [SettingsError, ProbeError, HistoryError])
def test_an_error_of_the_collection_is_a_failure_with_its_message(kind):
    with pytest.raises(AnsibleActionFail) as raised:
        action(number=-1).run(task_vars={"error": kind("timeout: out of range (-1)")})
    assert raised.value.message == "timeout: out of range (-1)"


def test_any_other_error_is_a_bug_and_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        action(number=-1).run(task_vars={"error": ZeroDivisionError("bug")})
