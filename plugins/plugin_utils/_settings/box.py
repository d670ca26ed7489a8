# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's settings that a host is judged by: thresholds, workers, and what may listen on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import (
    thresholds as judge_thresholds,
    workers as judge_workers,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import layers as settings_layers

# By the check's name: its warning and its critical threshold. None means that the level is off.
Thresholds = dict[str, dict[str, float | None]]


# templar is ansible.template.Templar. Ansible has no types.
def layers(name: str, templar: Any, task_vars: Mapping[str, Any]) -> list[settings_layers.Layer]:
    """Return pairs of a layer's name and the value of a variable there, templates resolved, least specific first."""
    return [(origin, templar.template(value)) for origin, value in settings_layers.layers(name, task_vars)]


def thresholds(templar: Any, task_vars: Mapping[str, Any], option: object = None) -> Thresholds:
    """Return lifeline_thresholds, merged over all layers. `option` is the last layer. Raises SettingsError."""
    of_all_layers = [*layers("lifeline_thresholds", templar, task_vars), ("the option thresholds", option)]
    merged: Thresholds = judge_thresholds.merge(of_all_layers)
    return merged


def workers(templar: Any, task_vars: Mapping[str, Any], option: object = None) -> list[judge_workers.Worker]:
    """Return the host's workers. Raises SettingsError.

    They are `option`, lifeline_workers, sidekiq_watchdog_workers, or Sidekiq with max_sidekiq_memory, whichever is set
    first.
    """
    declared = templar.template(task_vars.get("lifeline_workers")) if option is None else option
    found: list[judge_workers.Worker] = judge_workers.workers(
        declared, templar.template(task_vars.get("max_sidekiq_memory")), _watched(templar, task_vars)
    )
    return found


def restart_commands(templar: Any, task_vars: Mapping[str, Any]) -> dict[str, str]:
    """Return the commands that restart workers, by the workers' names. Raises SettingsError.

    They are those of lifeline_workers or sidekiq_watchdog_workers, or sidekiq_restart_command for the one worker.
    """
    declared = templar.template(task_vars.get("lifeline_workers"))
    entries = [("lifeline_workers", entry) for entry in declared] if isinstance(declared, list) else []
    if declared is None:
        entries = [("sidekiq_watchdog_workers", entry) for entry in _watched(templar, task_vars)]
    found = {
        str(entry["name"]): (f"{variable}: {entry['name']}: restart_command", entry["restart_command"])
        for variable, entry in entries
        if isinstance(entry, dict) and entry.get("name") and entry.get("restart_command")
    }
    if not entries and task_vars.get("sidekiq_restart_command"):
        value = templar.template(task_vars["sidekiq_restart_command"])
        found["sidekiq"] = ("sidekiq_restart_command", value)
    for label, command in found.values():
        if not isinstance(command, str) or not command.isprintable() or {"'", "!"} & set(command):
            raise SettingsError(
                f"{label}: not one line without single quotes and ! ({command!r}); use double quotes, or name a script"
            )
    return {name: command for name, (_label, command) in found.items()}


# The units of a worker, and of its queue: the defaults of the role service_lockdown.
WORKER_UNITS = ("sidekiq*", "resque*")
QUEUE_UNITS = ("redis*", "valkey*")


def tells_purpose(templar: Any, task_vars: Mapping[str, Any]) -> bool:
    """Return whether the inventory says what may listen on the host."""
    return any(entries for _origin, entries in layers("service_lockdown_expected", templar, task_vars))


def listeners(templar: Any, task_vars: Mapping[str, Any]) -> list[str]:
    """Return what may listen on the host, as ports, units and names of processes. Raises SettingsError.

    That is what listens on any host, service_lockdown_expected of all layers, the workers and their queue, and the
    protected units.
    """
    # Imported here because most hosts do not need it, and Ansible compiles the imports of plugins again in each run.
    from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners

    on_any_box = ("the defaults", [{"name": name} for name in proc_listeners.ON_ANY_BOX])
    entries = settings_layers.by_name([on_any_box, *layers("service_lockdown_expected", templar, task_vars)])
    expected: list[str] = [entry["name"] for entry in entries if entry.get("state") != "absent"]
    expected += [worker["name"] for worker in _watched(templar, task_vars)]
    further: list[tuple[str, tuple[str, ...]]] = [
        ("service_lockdown_protected", ()),
        ("service_lockdown_workers", WORKER_UNITS),
    ]
    if any(worker.required for worker in workers(templar, task_vars)):
        further.append(("service_lockdown_worker_needs", QUEUE_UNITS))
    for name, default in further:
        value = templar.template(task_vars.get(name, list(default)))
        if not isinstance(value, list) or not all(isinstance(pattern, str) for pattern in value):
            raise SettingsError(f"{name}: not a list of units ({value!r}); give a list of texts")
        expected += value
    try:
        proc_listeners.check_expected(expected)
    except ValueError as error:
        raise SettingsError(f"service_lockdown_expected: {error}") from error
    return expected


def _watched(templar: Any, task_vars: Mapping[str, Any]) -> list[settings_layers.Entry]:
    """Return sidekiq_watchdog_workers, merged over all layers, without the absent ones."""
    return [
        entry
        for entry in settings_layers.by_name(layers("sidekiq_watchdog_workers", templar, task_vars))
        if entry.pop("state", "present") != "absent"
    ]


# A worker's keys, and the variables of an inventory that describes one worker only.
SEED = {
    "app_path": "app_path",
    "max_memory": "max_sidekiq_memory",
    "threads": "max_sidekiq_threads",
    "environment": "server_env",
}


def sidekiq_workers(
    templar: Any, task_vars: Mapping[str, Any]
) -> tuple[list[settings_layers.Entry], Mapping[str, str]]:
    """Return the declared Sidekiq workers, and the variable of each key that has one of its own. Raises SettingsError.

    The workers are sidekiq_watchdog_workers of all layers, merged by name, or the one that max_sidekiq_memory and the
    other variables in `SEED` describe.
    """
    declared = _watched(templar, task_vars)
    if declared:
        return declared, {}
    values = {key: templar.template(task_vars.get(name)) for key, name in SEED.items()}
    if values["max_memory"] in (None, ""):
        return [], {}
    base = templar.template(task_vars.get("app_base"))
    values["app_path"] = values["app_path"] or (base and base.rstrip("/") + "/current")
    # These inventories were written for monit's rule: three restarts within five cycles, then no more.
    return [{"name": "sidekiq", "on_repeat": "give_up", **values}], SEED
