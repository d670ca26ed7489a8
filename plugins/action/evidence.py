# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.evidence: one round trip to the box, one archive on the controller. Its manual is modules/evidence.py."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timezone

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import ProbeError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log, archive
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import evidence, shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline

_OPTIONS = {
    "path": {"type": "path", "default": "~/.lifeline/evidence"},
    "log": {"type": "path"},
    "health": {"type": "dict"},
    "timeout": {"type": "float", "default": 2},
    "deadline": {"type": "float", "default": 90},
}
# Of the time that a box has, so much is for the part that is being taken when the rest of it is over.
_LAST = 30


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        box, looked = task_vars["inventory_hostname"], options["health"] or {}
        try:
            sources, named = self._take(options, looked)
            found = evidence.read(sources, named, looked.get("workers", ()))
            result.update(
                changed=False,
                evidence=found,
                archive=None,
                msg="evidence was taken, and nothing is kept of it in check mode",
            )
            if not self._task.check_mode:
                result.update(self._keep(options, box, looked, sources, named))
        except (SettingsError, ProbeError) as error:
            raise AnsibleActionFail(str(error)) from error
        return result

    def _take(self, options, looked):
        if not 0 < options["timeout"] <= 60:
            raise SettingsError(f"timeout is {options['timeout']}: it must be more than 0 and at most 60 seconds")
        if options["deadline"] <= _LAST + options["timeout"]:
            raise SettingsError(
                f"deadline is {options['deadline']}: it must be more than {_LAST + options['timeout']:g} seconds"
            )
        workers = looked.get("workers", ())
        pids = [pid for worker in workers for pid in worker["pids"]]
        word = secrets.token_hex(8)
        script = evidence.script(
            word,
            options["timeout"],
            int(options["deadline"] - _LAST),
            pids,
            [f"{worker['name']}.service" for worker in workers],
            self._is_short(looked),
        )
        with deadline(options["deadline"]):
            answer = shell.run(self, script)
        return evidence.parts(answer["stdout"], answer["stderr"], word)

    @staticmethod
    def _is_short(looked):
        """Whether the box has so little memory left that some evidence is not worth what it takes."""
        available = looked.get("ansible_facts", {}).get("lifeline_memory", {}).get("limit_available_bytes")
        return available is not None and available < evidence.LEAN_BYTES

    def _keep(self, options, box, looked, sources, named):
        now = datetime.now(timezone.utc)
        about = {
            "box": box,
            "taken": timestamp(now.timestamp()),
            "verdict": looked.get("verdict"),
            "findings": looked.get("findings"),
            "workers": looked.get("workers"),
            "empty": sorted(name for name, text in named.items() if not text.strip()),
        }
        members = evidence.members(sources, named, about)
        path = archive.write(os.path.expanduser(options["path"]), archive.file_name(box, now), members, now)
        if options["log"]:
            action_log.append(
                options["log"],
                box,
                "evidence",
                {
                    "archive": path,
                    "verdict": looked.get("verdict"),
                    "findings": [finding["message"] for finding in looked.get("findings", ())],
                },
            )
        return {
            "changed": True,
            "archive": path,
            "msg": f"{len(members)} parts of evidence are in {path} ({format_size(os.path.getsize(path))})",
        }
