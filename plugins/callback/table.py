# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stdout callback lifeline.fleet.table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: table
type: stdout
short_description: Show the results of health as one table, worst host first
version_added: 0.1.0
description:
  - Collects the results of M(lifeline.fleet.health) and prints them as one table with a line per host, worst first.
    Hosts that could not be reached are in the table. The last line counts the hosts of each verdict.
  - On a terminal the table fits the width. In a pipe or a file, every host has one line of plain text.
  - The results of all other modules are printed as usual, with C(ansible) and with C(ansible-playbook). With C(-v), the
    full results of health are printed as well.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - "Set C(stdout_callback = lifeline.fleet.table) in C(ansible.cfg). For C(ansible), set
    C(bin_ansible_callbacks = true) as well."
"""

import atexit
import shutil
import sys

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.callback.minimal import CallbackModule as Minimal
from ansible.utils.color import stringc

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table

_HEALTH = ("lifeline.fleet.health", "health")
_ADHOC = "__adhoc_playbook__"
_COLORS = {
    "down": "COLOR_UNREACHABLE",
    "critical": "COLOR_ERROR",
    "unknown": "COLOR_ERROR",
    "warning": "COLOR_CHANGED",
    "ok": "COLOR_OK",
}


class CallbackModule(Default, Minimal):
    """Ansible's default callback for playbooks, and its minimal one for ad hoc commands, with the table for health."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lifeline.fleet.table"

    def __init__(self):
        super().__init__()
        self._rows = []
        self._usual = Default
        # After an interrupted run, show at least the hosts that have answered.
        atexit.register(self._flush)

    def v2_playbook_on_start(self, playbook):
        if playbook._file_name == _ADHOC:
            self._usual = Minimal
        self._usual.v2_playbook_on_start(self, playbook)

    def v2_playbook_on_play_start(self, play):
        self._flush()
        self._play = play
        self._usual.v2_playbook_on_play_start(self, play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._flush()
        self._usual.v2_playbook_on_task_start(self, task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task):
        self._flush()
        self._usual.v2_playbook_on_handler_task_start(self, task)

    def v2_playbook_on_stats(self, stats):
        self._flush()
        self._usual.v2_playbook_on_stats(self, stats)

    def v2_runner_on_ok(self, result):
        if not self._tabulate(result, _table.judged):
            self._usual.v2_runner_on_ok(self, result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        # With fail_on, a verdict is a failure, but the host was judged.
        if not self._tabulate(result, _table.judged if "verdict" in result.result else _table.unknown):
            self._usual.v2_runner_on_failed(self, result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        if not self._tabulate(result, _table.down):
            self._usual.v2_runner_on_unreachable(self, result)

    def v2_runner_on_skipped(self, result):
        self._usual.v2_runner_on_skipped(self, result)

    def _tabulate(self, result, to_row):
        """Add a row for a result of health. Return whether the row is all that is to be printed for it."""
        task = result.task
        if task.action not in _HEALTH or task.loop or task.no_log:
            return False
        self._rows.append(_table.row_of(to_row, result.host.get_name(), result.result))
        if self._display.verbosity:
            return False
        self._handle_warnings(result.result)
        return True

    def _flush(self):
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self._display.display("\n".join(_table.render(rows, width, _paint)), screen_only=True)
        self._display.display("\n".join(_table.render(rows)), log_only=True)


def _paint(text, verdict):
    return stringc(text, getattr(C, _COLORS[verdict]))
