# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stdout callback lifeline.fleet.table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: table
type: stdout
short_description: Shows what health found as one table, worst box first
version_added: 0.1.0
description:
  - Collects the results of M(lifeline.fleet.health) and prints them as one table, a line a box, worst first, with the boxes that
    could not be reached among them and a last line that counts.
  - On a terminal the table fits its width. Where the output goes into a pipe or a file, every box has one line of plain text.
  - The results of all other modules are printed as Ansible prints them, with C(ansible) as with C(ansible-playbook).
    With C(-v) the full results of health are printed as well.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - "Set C(stdout_callback = lifeline.fleet.table) in C(ansible.cfg); for C(ansible), set C(bin_ansible_callbacks = true) too."
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
    """Playbooks look as they do with Ansible's default callback, ad hoc commands as with its minimal one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lifeline.fleet.table"

    def __init__(self):
        super().__init__()
        self._rows = []
        self._usual = Default
        # An operator who interrupts a run wants to see at least the boxes that have answered.
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
        # A verdict that the user wants to count as a failure is a verdict still.
        if not self._tabulate(result, _table.judged if "verdict" in result.result else _table.unknown):
            self._usual.v2_runner_on_failed(self, result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        if not self._tabulate(result, _table.down):
            self._usual.v2_runner_on_unreachable(self, result)

    def v2_runner_on_skipped(self, result):
        self._usual.v2_runner_on_skipped(self, result)

    def _tabulate(self, result, to_row):
        """Make a row of what health returned. Whether that says all there is to say of this result."""
        task = result.task
        if task.action not in _HEALTH or task.loop or task.no_log:
            return False
        self._rows.append(to_row(result.host.get_name(), result.result))
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
