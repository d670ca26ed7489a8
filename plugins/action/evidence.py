# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.evidence: read a host in one round trip and keep an archive. See modules/evidence.py."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log, archive
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import evidence, evidence_script, shell
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe.deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import box as box_settings

# No part begins in the last seconds of the deadline, because a running part needs time to end.
_LAST = 30


class ActionModule(FleetAction):
    _requires_connection = True
    _supports_check_mode = True
    OPTIONS = {
        "path": {"type": "path", "default": "~/.lifeline/evidence"},
        "log": {"type": "path"},
        "health": {"type": "dict"},
        "timeout": {"type": "float", "default": 2},
        "deadline": {"type": "float", "default": 90},
    }

    def act(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        box, looked = task_vars["inventory_hostname"], options["health"] or {}
        sources, named = self._take(options, looked)
        result = {
            "changed": False,
            "evidence": evidence.read(sources, named, looked.get("workers", ()), self._with_pidfile(task_vars)),
            "archive": None,
            "msg": "evidence was read, and no archive is written in check mode",
        }
        if not self._task.check_mode:
            result.update(self._keep(options, box, looked, sources, named))
        return result

    def _with_pidfile(self, task_vars: dict[str, Any]) -> list[str]:
        """Return the names of the workers whose process is named in a file of their own user."""
        return [worker.name for worker in box_settings.workers(self._templar, task_vars) if worker.pidfile]

    def _take(self, options: dict[str, Any], looked: dict[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the probe's sources and the other parts, by name."""
        if not 0 < options["timeout"] <= 60:
            raise SettingsError(
                f"timeout: out of range ({options['timeout']:g}); use more than 0 and at most 60 seconds"
            )
        if options["deadline"] <= _LAST + options["timeout"]:
            raise SettingsError(
                f"deadline: too short ({options['deadline']:g}); use more than {_LAST + options['timeout']:g} seconds"
            )
        workers = looked.get("workers", ())
        pids = [pid for worker in workers for pid in worker["pids"]]
        script = evidence_script.script(
            options["timeout"],
            int(options["deadline"] - _LAST),
            pids,
            [f"{worker['name']}.service" for worker in workers],
            self._is_short(looked),
        )
        with deadline(options["deadline"]):
            answer = shell.run(self, script)
        return evidence_script.parts(answer["stdout"], answer["stderr"])

    @staticmethod
    def _is_short(looked: dict[str, Any]) -> bool:
        """Return whether the host is so short of memory that the larger parts should not be read."""
        available = looked.get("ansible_facts", {}).get("lifeline_memory", {}).get("limit_available_bytes")
        return available is not None and available < evidence.LEAN_BYTES

    def _keep(
        self,
        options: dict[str, Any],
        box: str,
        looked: dict[str, Any],
        sources: dict[str, str],
        named: dict[str, str],
    ) -> dict[str, Any]:
        """Write the archive and note it in the log. Returns what this adds to the result."""
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
