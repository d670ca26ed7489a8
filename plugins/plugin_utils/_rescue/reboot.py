# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which of the hosts that don't answer are rebooted, and say why the others are left.

The playbook reboot_down asks each host, and each provider about its instance. The functions here decide from these
answers: `before` from the host's, `chosen` from the provider's as well, and `after` while the host is rebooted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import answer as probe_answer
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import numbers

# The host answers, or this machine could not ask it.
UP, UNCLEAR = probe_answer.UP, probe_answer.UNCLEAR
# It has been down for long enough, so the provider is asked. Then it is left, or rebooted.
DUE, LEFT, REBOOT = "due", "left", "reboot"
BACK, NOT_BACK = "back", "not back"

_LONGEST_WAIT = 7200


class Decision(TypedDict):
    """The decision about a host, or the result of its reboot. `outcome` is None if there is nothing to show."""

    state: str
    outcome: str | None


class Plan(TypedDict):
    """The hosts to reboot, also in batches, a line per host that is not well, and a reason not to start, or ''."""

    chosen: list[str]
    batches: list[list[str]]
    lines: list[str]
    doubt: str


def faults(settings: Mapping[str, object]) -> list[str]:
    """Return a message for each setting of the playbook, by the variable's name, that makes no sense."""
    found = []
    for name, check in _CHECKS.items():
        try:
            check(name, settings[name])
        except SettingsError as error:
            found.append(str(error))
    return found


def before(answer: Mapping[str, Any], instance_id: object, grace: object) -> Decision:
    """Decide about a host from the result of the action `answers`. Its state is DUE if the provider must be asked.

    `grace` is for how many seconds the host must have been down. Raises SettingsError.
    """
    if answer["state"] != probe_answer.DOWN:
        well = answer["state"] == UP and answer["uptime_seconds"] is not None
        return {"state": answer["state"], "outcome": None if well else answer["msg"]}
    if not str(instance_id or ""):
        return {"state": LEFT, "outcome": "left: no instance is known: set lifeline_instance_id"}
    seconds = _grace("lifeline_reboot_grace", grace)
    if answer["down_seconds"] < seconds:
        return {"state": LEFT, "outcome": f"left: {answer['msg']}; the grace time is {seconds} s"}
    return {"state": DUE, "outcome": None}


def chosen(decision: Decision, answer: Mapping[str, Any], instance: object) -> Decision:
    """Decide about a host from what its provider says of its instance. Hosts that are not DUE stay as they are.

    `instance` is the variable lifeline_instance, which the provider's tasks set. Raises SettingsError.
    """
    if decision["state"] != DUE:
        return decision
    ready, said = _instance(instance)
    if not ready:
        return {"state": LEFT, "outcome": f"left: {said}"}
    return {"state": REBOOT, "outcome": f"to be rebooted: {answer['msg']}; {said}"}


def after(
    again: Mapping[str, Any],
    instance: object = None,
    back: Mapping[str, Any] | None = None,
    health: Mapping[str, Any] | None = None,
) -> Decision:
    """Return how far the reboot of a host has come.

    `again` is the result of `answers` right before the reboot, `instance` what the provider says of the reboot, `back`
    the result of `answers` after it, and `health` that of `health`. Those that don't exist yet are None. Raises
    SettingsError.
    """
    if again["state"] != probe_answer.DOWN:
        return {"state": LEFT, "outcome": f"left: {again['msg']}"}
    ready, said = _instance(instance)
    if not ready or back is None:
        return {"state": NOT_BACK, "outcome": f"not back: {said}"}
    if back["state"] != UP:
        return {"state": NOT_BACK, "outcome": f"not back: {back['msg']}"}
    return {"state": BACK, "outcome": f"it is back: {(health or {}).get('msg', 'it could not be judged')}"}


def plan(decisions: Mapping[str, Decision], serial: object) -> Plan:
    """Return the plan for all hosts. `serial` is how many may be rebooted at the same time. Raises SettingsError."""
    size = _serial("lifeline_reboot_serial", serial)
    names = [host for host, decision in decisions.items() if decision["state"] == REBOOT]
    lines = [f"{host}: {decision['outcome']}" for host, decision in decisions.items() if decision["outcome"]]
    return {
        "chosen": names,
        "batches": [names[start : start + size] for start in range(0, len(names), size)],
        "lines": lines or ["no box is down"],
        "doubt": _doubt(decisions),
    }


def _doubt(decisions: Mapping[str, Decision]) -> str:
    """Return why the answers can't be trusted, or ''. A single host proves nothing about this machine's network."""
    if len(decisions) < 2 or any(decision["state"] == UP for decision in decisions.values()):
        return ""
    return (
        f"lifeline_reboot_hosts: none of {len(decisions)} boxes answers, so the cause is probably this machine's "
        "network; check it, or continue with -e lifeline_reboot_blind=yes"
    )


def _instance(value: object) -> tuple[bool, str]:
    """Return whether the provider lets the instance be rebooted, and its reason. Raises SettingsError."""
    if not isinstance(value, Mapping) or "ready" not in value or "says" not in value:
        raise SettingsError(
            f"lifeline_instance: not a dictionary with ready and says ({value!r}); set it in the tasks of "
            "lifeline_reboot_provider"
        )
    try:
        return boolean(value["ready"]), str(value["says"])
    except TypeError:
        raise SettingsError(
            f"lifeline_instance.ready: not a boolean ({value['ready']!r}); set it to true or false in the tasks of "
            "lifeline_reboot_provider"
        ) from None


def _grace(name: str, value: object) -> int:
    return numbers.whole(name, value, 0, "seconds")


def _serial(name: str, value: object) -> int:
    return numbers.whole(name, value, 1, "boxes")


def _wait(name: str, value: object) -> float:
    return numbers.positive(name, value, _LONGEST_WAIT, "seconds")


_CHECKS = {
    "lifeline_reboot_grace": _grace,
    "lifeline_reboot_serial": _serial,
    "lifeline_reboot_patience": _wait,
    "lifeline_reboot_wait": _wait,
}
