# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base class of the collection's actions: check the options, act, and fail with one clear message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError, ProbeError, SettingsError


class FleetAction(ActionBase):
    """An action that checks its own options and runs no module. A subclass sets `OPTIONS` and writes `act`."""

    TRANSFERS_FILES = False
    # As in `argument_spec`, and the same as in the documentation of the module of this name.
    OPTIONS: Mapping[str, Mapping[str, Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what `act` returned. The collection's own errors become a failure of the task with their message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = self.validate_argument_spec(self.OPTIONS)[1]
        try:
            result.update(self.act(options, task_vars or {}))
        except (SettingsError, ProbeError, HistoryError) as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the task's result for the checked `options`. Raises SettingsError, ProbeError and HistoryError."""
        raise NotImplementedError
