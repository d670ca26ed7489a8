# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lifeline.fleet.health: settings in, one round trip to the box, a verdict out. Its manual is modules/health.py."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lifeline.fleet.plugins.module_utils._units import parse_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _facts, _probe, _settings, _verdict
from ansible_collections.lifeline.fleet.plugins.plugin_utils._deadline import deadline
from ansible_collections.lifeline.fleet.plugins.plugin_utils._errors import ProbeError, SettingsError

_OPTIONS = {
    "thresholds": {"type": "dict"},
    "workers": {"type": "list", "elements": "dict"},
    "oom_window": {"type": "str", "default": "24h"},
    "timeout": {"type": "float", "default": 2},
    "deadline": {"type": "float", "default": 30},
    "fail_on": {"type": "str", "choices": ["never", "warning", "critical"], "default": "never"},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        options = self.validate_argument_spec(_OPTIONS)[1]
        try:
            thresholds = _settings.thresholds(self._templar, task_vars, options["thresholds"])
            workers = _settings.workers(self._templar, task_vars, options["workers"])
            expected = _settings.listeners(self._templar, task_vars) if _settings.tells_purpose(self._templar, task_vars) else None
            window, timeout = self._times(options)
            with deadline(options["deadline"]):
                sources = self._probe(_probe.script(timeout, listeners=expected is not None))
        except (SettingsError, ProbeError) as error:
            raise AnsibleActionFail(str(error)) from error
        facts = _facts.parse(sources, window, expected)
        judged = _verdict.judge(facts, _facts.process_table(sources), _facts.watchdog(sources), thresholds, workers, window)
        result.update(judged, changed=False, ansible_facts=facts, thresholds=thresholds,
                      msg=_verdict.summary(judged["verdict"], judged["findings"], facts))
        fail_on = options["fail_on"]
        result["failed"] = fail_on != "never" and (
            _verdict.SEVERITIES.index(judged["verdict"]) >= _verdict.SEVERITIES.index(fail_on))
        return result

    def _probe(self, script):
        if self._connection.is_pipelining_enabled():
            # No terminal in between, and no script in the log of sudo.
            answer = self._low_level_execute_command("/bin/sh", in_data=script.encode() + b"\n")
        else:
            answer = self._low_level_execute_command(script)
        return _probe.sources(answer["stdout"], answer["stderr"])

    @staticmethod
    def _times(options):
        try:
            window = parse_duration(options["oom_window"])
        except ValueError as error:
            raise SettingsError("oom_window: %s" % error) from error
        if not 0 < options["timeout"] <= 60:
            raise SettingsError("timeout is %s: it must be more than 0 and at most 60 seconds" % options["timeout"])
        if options["deadline"] <= options["timeout"]:
            raise SettingsError("deadline is %s: it must be more than timeout, which is %s seconds"
                                % (options["deadline"], options["timeout"]))
        return window, options["timeout"]
