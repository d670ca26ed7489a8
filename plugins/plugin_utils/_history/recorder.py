# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history that the inventory asks for, as actions use it. A problem with it is a warning, never an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypedDict, TypeVar

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import HistoryError, SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import parse_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

# A smaller history is full before it is of use.
_LEAST_SIZE = 1 << 20

Result = TypeVar("Result")


class Bounds(TypedDict, total=False):
    """The bounds of a history that the inventory sets."""

    days: float
    size: int


class Recorder:
    """A context manager around one reading. It is false if no history is asked for, or if the history cannot be used.

    In check mode a history is read, but nothing is written to it. `box` is the name that readings are recorded under.
    """

    # task is ansible.playbook.task.Task and templar ansible.template.Templar. Ansible has no types.
    def __init__(self, task: Any, templar: Any, task_vars: Mapping[str, Any], box: str | None = None) -> None:
        self.box: str = box or task.delegate_to or task_vars.get("inventory_hostname", "localhost")
        self._history: History | None = None
        self._writes = not task.check_mode
        self._templar, self._task_vars = templar, task_vars

    def __enter__(self) -> Recorder:
        # This check is all that a reading without a history costs.
        if self._task_vars.get("lifeline_history") is not None:
            self._history = self._try(self._open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def __bool__(self) -> bool:
        return self._history is not None

    def ask(self, question: Callable[[History], Result], otherwise: Result) -> Result:
        """Return what `question` returns, or `otherwise` without a history."""
        history = self._history
        if history is None:
            return otherwise
        answer = self._try(lambda: question(history))
        return otherwise if answer is None else answer

    def record(self, reading: Reading) -> None:
        """Store a reading, unless in check mode or without a history."""
        history = self._history
        if history is not None and self._writes:
            self._try(lambda: history.record(reading))

    def record_result(self, read: Callable[[], Reading]) -> None:
        """Store the reading that `read` makes of a host's answer. An answer of an unexpected shape is a warning."""
        if not self:
            return
        try:
            reading = read()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            Display().warning(f"{self.box}: its answer has an unexpected shape ({error!r}). Nothing is recorded.")
            return
        self.record(reading)

    def _open(self) -> History | None:
        path, bounds = settings(self._templar, self._task_vars)
        if path is None:
            return None
        history = History(path, create=self._writes, **bounds)
        if not self._writes and not history.exists():
            return None
        return history.__enter__()

    def _try(self, action: Callable[[], Result]) -> Result | None:
        try:
            return action()
        except (HistoryError, SettingsError, AnsibleError) as error:
            Display().warning(f"{error}. Nothing is recorded.")
            self._leave()
            return None

    def _leave(self) -> None:
        history, self._history = self._history, None
        if history is not None:
            history.__exit__(None, None, None)
            for note in history.notes:
                Display().warning(note)


def settings(templar: Any, task_vars: Mapping[str, Any]) -> tuple[str | None, Bounds]:
    """Return the path of the history, None if there is none, and its bounds. Raises SettingsError."""
    path, days, size = (
        templar.template(task_vars.get("lifeline_history" + suffix)) for suffix in ("", "_days", "_size")
    )
    if path in (None, "", False):
        return None, {}
    if not isinstance(path, str):
        raise SettingsError(
            f"lifeline_history: not a path ({path!r}); give a file on the controller, such as ~/lifeline/history.db"
        )
    bounds: Bounds = {}
    if days is not None:
        bounds["days"] = _days(days)
    if size is not None:
        bounds["size"] = _size(size)
    return path, bounds


def _days(value: object) -> float:
    try:
        days = float(str(value))
    except ValueError:
        days = 0
    if not 0 < days < 36525:
        raise SettingsError(
            f"lifeline_history_days: not a number of days ({value!r}); give a number above 0, such as 30"
        )
    return days


def _size(value: Any) -> int:
    try:
        size: int = parse_size(value)
    except ValueError as error:
        raise SettingsError(f"lifeline_history_size: {error}") from error
    if size < _LEAST_SIZE:
        raise SettingsError(
            f"lifeline_history_size: less than 1 MB ({value!r}); give a size with a unit, such as 500 MB"
        )
    return size
