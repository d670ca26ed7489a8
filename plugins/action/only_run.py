# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.only_run: one run of a playbook at a time. Its manual is modules/only_run.py."""

from __future__ import annotations

import os

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run

_OPTIONS = {"path": {"type": "path", "required": True}}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        try:
            # A task has a process of its own; its parent is the run's.
            other = only_run.take(options["path"], os.getppid())
        except SettingsError as error:
            raise AnsibleActionFail(str(error)) from error
        result.update(changed=False, alone=other is None, msg="this run is the only one")
        if other:
            result["msg"] = (
                f"another run (pid {other['pid']}, since {timestamp(other['since'])}) has not ended yet: this one leaves the boxes to it"
            )
        return result
