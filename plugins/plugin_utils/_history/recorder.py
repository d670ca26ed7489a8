# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that the inventory asks for, as actions use it: where it can't be had, that is a warning, and the reading goes on."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import store as history_store

# Smaller than this, a history is full before it is of use.
_LEAST_SIZE = 1 << 20


class Recorder:
    """A context manager around one reading. It is false where no history is asked for, or the one that is can't be used.

    In check mode a history is read, and nothing is written to it.
    """

    def __init__(self, task, templar, task_vars):
        self.box = task.delegate_to or task_vars.get("inventory_hostname", "localhost")
        self._history = None
        self._writes = not task.check_mode
        self._settings = lambda: settings(templar, task_vars)
        # What costs nothing where nobody asks for a history.
        self._wanted = task_vars.get("lifeline_history") is not None

    def __enter__(self):
        if self._wanted:
            self._history = self._try(self._open)
        return self

    def __exit__(self, *_error):
        self._leave()

    def __bool__(self):
        return self._history is not None

    def ask(self, question, otherwise):
        """What V(question), a function of the History, returns; V(otherwise) where there is none."""
        answer = self._try(lambda: question(self._history)) if self else None
        return otherwise if answer is None else answer

    def record(self, **reading):
        """Keep a Reading of this box."""
        if self and self._writes:
            self._try(lambda: self._history.record(history_store.Reading(box=self.box, **reading)))

    def _open(self):
        path, bounds = self._settings()
        if path is None:
            return None
        history = history_store.History(path, create=self._writes, **bounds)
        if not self._writes and not history.exists():
            return None
        return history.__enter__()

    def _try(self, action):
        try:
            return action()
        except (HistoryError, SettingsError, AnsibleError) as error:
            Display().warning(f"{error}. Nothing is recorded.")
            self._leave()
            return None

    def _leave(self):
        history, self._history = self._history, None
        if history is not None:
            history.__exit__(None, None, None)
            for note in history.notes:
                Display().warning(note)


def settings(templar, task_vars):
    """The path of the history, None where there is none to be, and its bounds. Raises SettingsError."""
    path, days, size = (
        templar.template(task_vars.get("lifeline_history" + suffix)) for suffix in ("", "_days", "_size")
    )
    if path in (None, "", False):
        return None, {}
    if not isinstance(path, str):
        raise SettingsError(
            f"lifeline_history is {path!r}: it must be the path of a file on the controller, such as ~/lifeline/history.db"
        )
    bounds = {}
    if days is not None:
        bounds["days"] = _days(days)
    if size is not None:
        bounds["size"] = _size(size)
    return path, bounds


def _days(value):
    try:
        days = float(str(value))
    except ValueError:
        days = 0
    if not 0 < days < 36525:
        raise SettingsError(f"lifeline_history_days is {value!r}: it must be a number of days, more than 0, such as 30")
    return days


def _size(value):
    try:
        size = parse_size(value)
    except ValueError as error:
        raise SettingsError(f"lifeline_history_size: {error}") from error
    if size < _LEAST_SIZE:
        raise SettingsError(
            f"lifeline_history_size is {value!r}, which is less than 1 MB: write a unit, such as 500 MB"
        )
    return size
