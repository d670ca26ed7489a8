# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are rebooted, which are left, and the reason that users read."""

from __future__ import annotations

import re

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import reboot

INSTANCE = "i-0123456789abcdef0"
READY = {"ready": True, "says": f"{INSTANCE}: running"}
WELL = {"state": "up", "uptime_seconds": 7, "down_seconds": None, "msg": "it answers"}
REFUSES = {"state": "up", "uptime_seconds": None, "down_seconds": None, "msg": "it answers, and rejects the login"}
UNKNOWN = {"state": "unclear", "uptime_seconds": None, "down_seconds": None, "msg": "this machine could not ask it"}


def down(seconds):
    return {
        "state": "down",
        "uptime_seconds": None,
        "down_seconds": seconds,
        "msg": f"it has been down for {seconds} s",
    }


def decide(answer, instance=None, instance_id=INSTANCE, grace=600):
    decision = reboot.before(answer, instance_id, grace)
    return decision if instance is None else reboot.chosen(decision, answer, instance)


@pytest.mark.parametrize("instance", [None, READY])
@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (WELL, {"state": "up", "outcome": None}),
        (REFUSES, {"state": "up", "outcome": "it answers, and rejects the login"}),
        (UNKNOWN, {"state": "unclear", "outcome": "this machine could not ask it"}),
        (down(599.9), {"state": "left", "outcome": "left: it has been down for 599.9 s; the grace time is 600 s"}),
    ],
)
def test_a_host_that_is_not_down_for_long_enough_is_left(answer, instance, decision):
    assert decide(answer, instance) == decision


def test_a_host_that_is_down_for_long_enough_is_rebooted_if_its_provider_agrees():
    assert decide(down(600)) == {"state": "due", "outcome": None}
    assert decide(down(600), READY) == {
        "state": "reboot",
        "outcome": f"to be rebooted: it has been down for 600 s; {INSTANCE}: running",
    }
    stopped = {"ready": False, "says": f"{INSTANCE}: not running (stopped)"}
    assert decide(down(600), stopped) == {"state": "left", "outcome": f"left: {INSTANCE}: not running (stopped)"}


@pytest.mark.parametrize("instance_id", ["", None])
def test_a_host_without_an_instance_is_left(instance_id):
    decision = {"state": "left", "outcome": "left: no instance is known: set lifeline_instance_id"}
    assert decide(down(9999), READY, instance_id) == decision


@pytest.mark.parametrize(("ready", "state"), [("yes", "reboot"), ("True", "reboot"), ("False", "left"), ("no", "left")])
def test_a_provider_may_write_its_answer_as_text(ready, state):
    assert decide(down(600), {"ready": ready, "says": "server 7"})["state"] == state


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ({}, "lifeline_instance: not a dictionary with ready and says ({}); set it in the tasks of"),
        ("running", "lifeline_instance: not a dictionary with ready and says ('running'); set it in"),
        ({"ready": True}, "lifeline_instance: not a dictionary with ready and says ({'ready': True}); set"),
        ({"ready": "running", "says": ""}, "lifeline_instance.ready: not a boolean ('running'); set it to true or"),
    ],
)
def test_a_provider_that_gives_no_clear_answer_reboots_nothing(instance, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        decide(down(600), instance)
    with pytest.raises(SettingsError, match=re.escape(message)):
        reboot.after(down(600), instance)


def test_a_grace_time_that_makes_no_sense_is_an_error():
    with pytest.raises(SettingsError, match=re.escape("lifeline_reboot_grace: not a whole number ('soon'); use 0 or")):
        decide(down(600), grace="soon")


def test_each_wrong_setting_has_a_message_with_its_variable():
    fine = {
        "lifeline_reboot_grace": 0,
        "lifeline_reboot_serial": "2",
        "lifeline_reboot_patience": "45",
        "lifeline_reboot_wait": 900.0,
    }
    assert reboot.faults(fine) == []
    assert reboot.faults(dict.fromkeys(fine, "x")) == [
        "lifeline_reboot_grace: not a whole number ('x'); use 0 or more seconds",
        "lifeline_reboot_serial: not a whole number ('x'); use 1 or more boxes",
        "lifeline_reboot_patience: not a number ('x'); use more than 0 and at most 7200 seconds",
        "lifeline_reboot_wait: not a number ('x'); use more than 0 and at most 7200 seconds",
    ]
    assert reboot.faults({**fine, "lifeline_reboot_serial": 0}) == [
        "lifeline_reboot_serial: too small (0); use 1 or more boxes"
    ]


def test_a_host_that_answers_right_before_its_reboot_is_left():
    assert reboot.after(WELL) == {"state": "left", "outcome": "left: it answers"}


@pytest.mark.parametrize(
    ("instance", "back", "health", "decision"),
    [
        (READY, None, None, {"state": "not back", "outcome": f"not back: {INSTANCE}: running"}),
        (
            {"ready": False, "says": "gone"},
            {"skipped": True},
            {"skipped": True},
            {"state": "not back", "outcome": "not back: gone"},
        ),
        (READY, down(900), None, {"state": "not back", "outcome": "not back: it has been down for 900 s"}),
        (READY, UNKNOWN, None, {"state": "not back", "outcome": "not back: this machine could not ask it"}),
        (READY, WELL, {"msg": "ok"}, {"state": "back", "outcome": "it is back: ok"}),
        (READY, WELL, {}, {"state": "back", "outcome": "it is back: it could not be judged"}),
    ],
)
def test_a_host_is_back_when_it_answers(instance, back, health, decision):
    assert reboot.after(down(600), instance, back, health) == decision


def decisions(**states):
    return {host: {"state": state, "outcome": state} for host, state in states.items()}


def test_the_plan_has_the_chosen_hosts_in_their_order_and_in_batches():
    plan = reboot.plan(decisions(c="reboot", a="reboot", x="left", b="reboot", w="up"), "2")
    assert (plan["chosen"], plan["batches"]) == (["c", "a", "b"], [["c", "a"], ["b"]])


def test_the_plan_has_a_line_for_each_host_with_an_outcome():
    plan = reboot.plan({"a": {"state": "up", "outcome": None}, "b": {"state": "left", "outcome": "left: x"}}, 2)
    assert plan["lines"] == ["b: left: x"]
    assert reboot.plan({"a": {"state": "up", "outcome": None}}, 2)["lines"] == ["no box is down"]


@pytest.mark.parametrize(
    ("states", "doubted"),
    [
        ({"a": "due", "b": "left"}, True),
        ({"a": "due", "b": "unclear"}, True),
        ({"a": "due", "b": "up"}, False),
        ({"a": "due"}, False),
        ({}, False),
    ],
)
def test_the_network_is_in_doubt_if_no_host_of_several_answers(states, doubted):
    doubt = reboot.plan(decisions(**states), 2)["doubt"]
    assert bool(doubt) == doubted
    if doubted:
        assert doubt.startswith("lifeline_reboot_hosts: none of 2 boxes answers, so ")
        assert doubt.endswith("or continue with -e lifeline_reboot_blind=yes")


def test_a_number_of_hosts_that_makes_no_sense_is_an_error():
    with pytest.raises(SettingsError, match=re.escape("lifeline_reboot_serial: too small (0); use 1 or more boxes")):
        reboot.plan({}, 0)
