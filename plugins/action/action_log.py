# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.action_log: a line in a file on the controller. Its manual is modules/action_log.py."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log

_OPTIONS = {
    "path": {"type": "path", "required": True},
    "event": {"type": "str", "required": True},
    "values": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        result["changed"] = True
        if not self._task.check_mode:
            try:
                action_log.append(
                    os.path.expanduser(options["path"]),
                    task_vars["inventory_hostname"],
                    options["event"],
                    options["values"],
                )
            except SettingsError as error:
                raise AnsibleActionFail(str(error)) from error
        return result
