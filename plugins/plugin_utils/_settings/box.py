# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says that a box is judged by: its thresholds, its workers, and what may listen on it."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import (
    thresholds as judge_thresholds,
    workers as judge_workers,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import layers as settings_layers


def layers(name, templar, task_vars):
    """Pairs of a layer's name and V(name)'s value there, templates resolved, the least specific first."""
    return [(origin, templar.template(value)) for origin, value in settings_layers.layers(name, task_vars)]


def thresholds(templar, task_vars, option=None):
    """What V(lifeline_thresholds) merges to. V(option) is the last layer. Raises SettingsError."""
    return judge_thresholds.merge(
        [*layers("lifeline_thresholds", templar, task_vars), ("the option thresholds", option)]
    )


def workers(templar, task_vars, option=None):
    """The box's workers: V(option), V(lifeline_workers), V(sidekiq_watchdog_workers), or Sidekiq with V(max_sidekiq_memory).

    Raises SettingsError.
    """
    declared = templar.template(task_vars.get("lifeline_workers")) if option is None else option
    return judge_workers.workers(
        declared, templar.template(task_vars.get("max_sidekiq_memory")), _watched(templar, task_vars)
    )


# The units of a worker, and those of its queue, as role service_lockdown has them by default.
WORKER_UNITS = ("sidekiq*", "resque*")
QUEUE_UNITS = ("redis*", "valkey*")


def tells_purpose(templar, task_vars):
    """Whether the inventory says what may listen on the box."""
    return any(entries for _origin, entries in layers("service_lockdown_expected", templar, task_vars))


def listeners(templar, task_vars):
    """What may listen: what does on any box, V(service_lockdown_expected) of all layers, the worker and its queue, and what is protected.

    Raises SettingsError.
    """
    # For the few whose purpose is told: Ansible compiles what a collection's plugin imports anew on each run.
    from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners as proc_listeners

    on_any_box = ("the defaults", [{"name": name} for name in proc_listeners.ON_ANY_BOX])
    entries = settings_layers.by_name([on_any_box, *layers("service_lockdown_expected", templar, task_vars)])
    expected = [entry["name"] for entry in entries if entry.get("state") != "absent"]
    expected += [worker["name"] for worker in _watched(templar, task_vars)]
    further = [("service_lockdown_protected", ()), ("service_lockdown_workers", WORKER_UNITS)]
    if any(worker.required for worker in workers(templar, task_vars)):
        further.append(("service_lockdown_worker_needs", QUEUE_UNITS))
    for name, default in further:
        value = templar.template(task_vars.get(name, list(default)))
        if not isinstance(value, list) or not all(isinstance(pattern, str) for pattern in value):
            raise SettingsError(f"{name} is {value!r}: it must be a list of units")
        expected += value
    try:
        proc_listeners.check_expected(expected)
    except ValueError as error:
        raise SettingsError(f"service_lockdown_expected: {error}") from error
    return expected


def _watched(templar, task_vars):
    return [
        entry
        for entry in settings_layers.by_name(layers("sidekiq_watchdog_workers", templar, task_vars))
        if entry.pop("state", "present") != "absent"
    ]


# The variables of an inventory that knows one worker, and the worker's keys that they are.
SEED = {
    "app_path": "app_path",
    "max_memory": "max_sidekiq_memory",
    "threads": "max_sidekiq_threads",
    "environment": "server_env",
}


def sidekiq_workers(templar, task_vars):
    """The declared Sidekiq workers, and the variables that their keys come from where they have one of their own.

    The workers are V(sidekiq_watchdog_workers) of all layers, merged by name, or the one that max_sidekiq_memory and its like describe.
    Raises SettingsError.
    """
    declared = _watched(templar, task_vars)
    if declared:
        return declared, {}
    values = {key: templar.template(task_vars.get(name)) for key, name in SEED.items()}
    if values["max_memory"] in (None, ""):
        return [], {}
    base = templar.template(task_vars.get("app_base"))
    values["app_path"] = values["app_path"] or (base and base.rstrip("/") + "/current")
    # Who wrote such an inventory knows the rule that belongs to it: three restarts within five cycles, then no more.
    return [{"name": "sidekiq", "on_repeat": "give_up", **values}], SEED
