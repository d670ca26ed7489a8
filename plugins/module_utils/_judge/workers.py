# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the workers that a host must run: their names, their patterns and their memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Pattern, Sequence, Tuple, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import is_percentage, parse_size
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.watchdog import PIDFILE

# Once it is up, Sidekiq names itself "sidekiq 7.3.2 app [1 of 5 busy]"; before, it is ruby with a file of that name.
_SIDEKIQ = re.compile(
    r"^(sidekiq \d|(\S*/)?(ruby|bundle|jruby)\S* (.* )?(\S*/)?sidekiq( |$)"
    r"|(\S*/)?((ba|da|z|a)?sh -l?c|env|rbenv|asdf|rvm|chruby-exec) (.* )?bundle exec (.* )?(\S*/)?sidekiq( |$))"
)
# A process of Puma may run Sidekiq as well, and then none is named after it.
EMBEDDING = re.compile(r"^puma(:| \d)")

# Less is a number without its unit; a worker would be above such a limit from the start.
LEAST_MEMORY = 1 << 20

_KEYS = ("name", "pattern", "unit", "pidfile", "max_memory", "required", "restart_command")
_UNIT = re.compile(r"[A-Za-z0-9_.:@-]{1,200}\Z")
_PIDFILE = re.compile(r"/run/(?:[A-Za-z0-9_.@:-]{1,100}/){0,4}[A-Za-z0-9_.@:-]{1,100}\.pid\Z")


@dataclass(frozen=True)
class Worker:
    """A worker: `pattern` is searched in command lines, `max_memory` is a size, a percentage of the memory, or None.

    If there is a `pidfile`, it names the worker's process, and the pattern is not used; nor is it with a `unit`, whose
    control group has the worker's processes.
    """

    name: str
    pattern: Pattern[str]
    max_memory: Union[str, int, float, None]
    required: bool
    pidfile: Optional[str] = None
    unit: Optional[str] = None

    @property
    def units(self) -> Tuple[str, ...]:
        """The names of the units that may run the worker; a star stands for any instance of a template."""
        return (self.unit,) if self.unit else (f"{self.name}.service", f"{self.name}@*.service")

    @property
    def is_default(self) -> bool:
        """Whether the pattern is that of Sidekiq, which needs only the beginning of a command line."""
        return self.pattern is _SIDEKIQ or self.pattern.pattern == _SIDEKIQ.pattern

    def allowance(self, box_memory: Optional[int]) -> Optional[int]:
        """Return the bytes that the worker may use on a host with this memory; None if it has no limit."""
        if self.max_memory is None or (box_memory is None and is_percentage(self.max_memory)):
            return None
        return parse_size(self.max_memory, whole=box_memory or 0)


def workers(declared: object, max_sidekiq_memory: object, watched: Sequence[Mapping[str, Any]] = ()) -> List[Worker]:
    """Return the host's workers: those of `lifeline_workers`, or those that the watchdog watches, or Sidekiq.

    Sidekiq as the default must run only on a host whose inventory gives it an allowance.
    Raises SettingsError with a sentence that names the worker, the key, the value and what is allowed.
    """
    if declared is None and watched:
        return [_watched(entry) for entry in watched]
    if declared is None:
        memory = _memory("max_sidekiq_memory", max_sidekiq_memory)
        return [Worker("sidekiq", _SIDEKIQ, memory, required=memory is not None)]
    if not isinstance(declared, list):
        raise SettingsError(
            f"lifeline_workers: not a list ({declared!r}); give workers, as in "
            "[{name: sidekiq, pattern: '^sidekiq ', max_memory: 13 GB}]"
        )
    return [_worker(number, entry) for number, entry in enumerate(declared)]


def _watched(entry: Mapping[str, Any]) -> Worker:
    memory = _memory(f"sidekiq_watchdog_workers: {entry['name']}: max_memory", entry.get("max_memory"))
    # The pidfile of a worker that other software runs may be anywhere, so it is not read.
    pidfile = None if entry.get("manager") == "command" else PIDFILE % entry["name"]
    return Worker(entry["name"], _SIDEKIQ, memory, required=True, pidfile=pidfile)


def _worker(number: int, entry: object) -> Worker:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise SettingsError(f"lifeline_workers[{number}]: no dictionary with a name ({entry!r}); give at least a name")
    label = f"lifeline_workers: {entry['name']}"
    for key in entry:
        if key not in _KEYS:
            raise SettingsError(f"{label}: unknown key ({key!r}); use one of {', '.join(_KEYS)}")
    pattern = entry.get("pattern") or (
        _SIDEKIQ.pattern if entry["name"] == "sidekiq" else re.escape(str(entry["name"]))
    )
    try:
        compiled = re.compile(str(pattern))
    except re.error as error:
        raise SettingsError(f"{label}: pattern: not a regular expression ({pattern!r}); correct it: {error}") from error
    required = entry.get("required", True)
    if not isinstance(required, bool):
        raise SettingsError(f"{label}: required: not a boolean ({required!r}); use true or false")
    unit, pidfile = _place(label, entry)
    memory = _memory(f"{label}: max_memory", entry.get("max_memory"))
    return Worker(str(entry["name"]), compiled, memory, required, pidfile, unit)


def _place(label: str, entry: Mapping[str, Any]) -> Tuple[Optional[str], Optional[str]]:
    """Return the unit, with its suffix, and the pidfile of a worker that declares one of them."""
    given = [key for key in ("pattern", "unit", "pidfile") if entry.get(key)]
    if len(given) > 1:
        raise SettingsError(f"{label}: several ways to find it ({', '.join(given)}); keep one of them")
    unit, pidfile = entry.get("unit"), entry.get("pidfile")
    if unit and not (isinstance(unit, str) and _UNIT.match(unit)):
        raise SettingsError(f"{label}: unit: not a service ({unit!r}); give a name such as sidekiq.service")
    if pidfile:
        path = re.sub(r"^/var/run/", "/run/", str(pidfile))
        if not _PIDFILE.match(path):
            raise SettingsError(
                f"{label}: pidfile: not a pidfile below /run ({pidfile!r}); give a path such as /run/crawler.pid"
            )
        return None, path
    return (unit if not unit or unit.endswith(".service") else unit + ".service"), None


def _memory(label: str, value: object) -> Union[str, int, float, None]:
    if value is None or value == "":
        return None
    if not isinstance(value, (str, int, float)):
        value = str(value)
    try:
        size = parse_size(value, whole=1 << 40)
    except ValueError as error:
        raise SettingsError(f"{label}: {error}") from error
    if size < LEAST_MEMORY:
        raise SettingsError(f"{label}: less than 1 MB ({value!r}); write a unit, such as 13 GB")
    return value
