# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says that a box is judged by: its thresholds and its workers."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _layers, _thresholds, _workers


def layers(name, templar, task_vars):
    """Pairs of a layer's name and V(name)'s value there, templates resolved, the least specific first."""
    return [(origin, templar.template(value)) for origin, value in _layers.layers(name, task_vars)]


def thresholds(templar, task_vars, option=None):
    """What V(lifeline_thresholds) merges to. V(option) is the last layer. Raises SettingsError."""
    return _thresholds.merge([*layers("lifeline_thresholds", templar, task_vars), ("the option thresholds", option)])


def workers(templar, task_vars, option=None):
    """The box's workers: V(option), or V(lifeline_workers), or Sidekiq with V(max_sidekiq_memory). Raises SettingsError."""
    declared = templar.template(task_vars.get("lifeline_workers")) if option is None else option
    return _workers.workers(declared, templar.template(task_vars.get("max_sidekiq_memory")))
