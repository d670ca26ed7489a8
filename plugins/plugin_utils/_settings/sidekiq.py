# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive all settings of Sidekiq workers from what the inventory declares: ceilings, timeouts, monit's rules.

One number, the worker's memory limit, gives three lines of defence that must be in this order: monit restarts the
worker gracefully at the limit; the kernel kills within the worker's own control group at the ceiling above it;
everything else on the host has the rest of the memory.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import SidekiqWorker
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import LEAST_MEMORY
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, parse_duration, parse_size
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.watchdog import PIDFILE
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings import unit_text
from ansible_collections.lifeline.fleet.plugins.plugin_utils._settings.sidekiq_check import Check, check

# The name becomes the name of a unit and of files, and a word in monit's commands.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}\Z")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_MANAGERS = ("systemd", "command")
_ON_REPEAT = ("give_up", "alert")
# The share of max_age by which hosts are spread, so a fleet does not restart at the same time.
_SPREAD = 0.2

# Each timeout must be shorter than the next: a program must not be killed while it waits for what it started.
_ORDER = ("timeout_seconds", "stop_seconds", "monit_stop_seconds", "monit_restart_seconds")
_NUMBERS = (
    "threads",
    "cycles",
    "restarts",
    "within_cycles",
    "open_files",
    "start_seconds",
    "timeout_seconds",
    "stop_seconds",
    "monit_start_seconds",
    "monit_stop_seconds",
    "monit_restart_seconds",
)


class BoxFacts(TypedDict):
    """The facts of `sidekiq_facts` that are used here."""

    memory_bytes: int | None
    workers: Mapping[str, SidekiqWorker]


Label = Callable[[str], str]
Thresholds = Mapping[str, Mapping[str, float | None]]


@dataclass
class Settings:
    """One worker as declared, with defaults. Sizes and ages are texts such as 13 GB and 12h."""

    name: str
    app_path: str | None = None
    environment: str = "production"
    max_memory: str | int | None = None
    threads: int | None = None
    user: str | None = None
    command: str | None = None
    require: str | None = None
    config_file: str | None = None
    variables: dict[str, object] = field(default_factory=dict)
    manager: str = "systemd"
    pidfile: str | None = None
    start_command: str | None = None
    stop_command: str | None = None
    restart_command: str | None = None
    cycles: int = 3
    restarts: int = 3
    within_cycles: int = 5
    on_repeat: str = "alert"
    max_age: str | None = None
    ceiling: str | int | None = None
    open_files: int = 16384
    oom_score_adjust: int = 500
    start_seconds: int = 120
    timeout_seconds: int = 25
    stop_seconds: int | None = None
    monit_start_seconds: int | None = None
    monit_stop_seconds: int | None = None
    monit_restart_seconds: int | None = None


@dataclass
class Worker(Settings):
    """One worker with everything that is derived. The role reads these fields by name."""

    limit_bytes: int | None = None
    ceiling_bytes: int | None = None
    max_age_seconds: int | None = None
    unit: str = ""
    inspect: dict[str, object] = field(default_factory=dict)
    given_up: bool = False
    paused: bool = False
    notify: bool = False
    exec: str | None = None
    environment_text: str = ""
    writes_threads: bool = True
    adopted: dict[str, object] = field(default_factory=dict)
    check: Check | None = None


# The keys of a worker that sidekiq_facts needs.
_INSPECTED = ("name", "manager", "app_path", "config_file", "user", "command", "pidfile")
KEYS = tuple(one.name for one in fields(Settings))


def resolve(
    declared: Sequence[Mapping[str, Any]],
    defaults: Mapping[str, Any],
    box: BoxFacts | None,
    host: str,
    variables: Mapping[str, str] | None = None,
    thresholds: Thresholds | None = None,
) -> list[Worker]:
    """Return the workers with everything that follows from what the inventory declares.

    `declared` is the merged list of the inventory, and `defaults` applies to every worker. `box` holds the facts of the
    host, or is None while they are unknown. `variables` maps keys to the inventory's own variables, for messages.
    `thresholds` are those of the host, by default those of `health`. Raises SettingsError, which names the host, the
    variable, its value, and what to do.
    """
    workers = []
    for entry in declared:
        label = _label(host, entry, defaults, variables)
        for key in entry:
            if key not in KEYS:
                raise SettingsError(f"{label(key)}: unknown key of a worker; use one of {', '.join(KEYS)}")
        given = {key: value for key, value in {**defaults, **entry}.items() if value not in (None, "")}
        workers.append(_resolved(Worker(**given), label, box, host, thresholds or judge_thresholds.defaults()))
    _share_files(workers, box)
    return workers


def _label(
    host: str, entry: Mapping[str, Any], defaults: Mapping[str, Any], variables: Mapping[str, str] | None
) -> Label:
    """Return the function that names the variable in which the user wrote, or would write, a key of a worker."""

    def label(key: str) -> str:
        name = (variables or {}).get(key)
        if name is None and key in defaults and (variables or (key not in entry and defaults[key] not in (None, ""))):
            name = f"sidekiq_watchdog_{key}"
        return f"{host}: " + (name or f"sidekiq_watchdog_workers: {entry['name']}: {key}")

    return label


def _share_files(workers: Sequence[Worker], box: BoxFacts | None) -> None:
    """Leave the number of threads out of a sidekiq.yml that several workers share and that could only hold one."""
    users: dict[str, list[Worker]] = {}
    for worker in workers:
        if worker.manager == "systemd" and worker.config_file:
            found = box["workers"].get(worker.name) if box else None
            path = found["config_file"] if found and found["config_file"] else posixpath.normpath(worker.config_file)
            users.setdefault(path, []).append(worker)
    for sharing in users.values():
        if len({worker.threads for worker in sharing}) > 1:
            for worker in sharing:
                worker.writes_threads = False


def _refuse(label: Label, key: str, problem: str, value: object, remedy: str) -> NoReturn:
    raise SettingsError(f"{label(key)}: {problem} ({value!r}); {remedy}")


def _resolved(worker: Worker, label: Label, box: BoxFacts | None, host: str, thresholds: Thresholds) -> Worker:
    if not _NAME.match(worker.name):
        _refuse(label, "name", "not a name", worker.name, "use letters, digits and . _ -, at most 61")
    if worker.manager not in _MANAGERS:
        _refuse(label, "manager", "unknown manager", worker.manager, "use systemd or command")
    if worker.on_repeat not in _ON_REPEAT:
        _refuse(label, "on_repeat", "unknown action", worker.on_repeat, "use give_up or alert")
    for key in _NUMBERS:
        _to_number(worker, key, label)
    if worker.restarts > worker.within_cycles:
        _refuse(
            label,
            "restarts",
            "more than within_cycles",
            worker.restarts,
            f"use at most {worker.within_cycles} or raise it",
        )
    _derive_timeouts(worker, label)
    worker.inspect = {key: getattr(worker, key) for key in _INSPECTED}
    found = box["workers"].get(worker.name) if box else None
    _derive_memory(worker, label, box["memory_bytes"] if box else None)
    worker.max_age_seconds = _age(worker, label, host)
    worker.unit = worker.name + ".service"
    worker.given_up = bool(found and found["given_up"])
    worker.paused = bool(found and found["paused"])
    if worker.manager == "systemd":
        _derive_application(worker, label, found)
    else:
        _check_commands(worker, label, found)
    worker.adopted = _adopted(worker)
    worker.check = check(worker, thresholds["process_fds_used_percent"]["critical"])
    return worker


def _adopted(worker: Worker) -> dict[str, object]:
    """Return what sidekiq_adoption needs to know of a worker, with the settings of its unit that must be in force."""
    in_force = {"LimitNOFILE": str(worker.open_files), "OOMScoreAdjust": str(worker.oom_score_adjust)}
    if worker.ceiling_bytes is not None:
        in_force |= {"MemoryMax": str(worker.ceiling_bytes), "MemorySwapMax": "0"}
    return {**{key: getattr(worker, key) for key in ("name", "manager", "app_path", "pidfile")}, "in_force": in_force}


def _to_number(worker: Worker, key: str, label: Label) -> None:
    value = getattr(worker, key)
    if value is None:
        return
    if isinstance(value, bool) or not re.match(r"\s*[1-9][0-9]{0,8}\s*\Z", str(value)):
        _refuse(label, key, "not a whole number above 0", value, "use 1 or more")
    setattr(worker, key, int(value))


def _derive_timeouts(worker: Worker, label: Label) -> None:
    # Each step gets ten seconds more than the one that it waits for.
    if worker.stop_seconds is None:
        worker.stop_seconds = worker.timeout_seconds + 10
    if worker.monit_stop_seconds is None:
        worker.monit_stop_seconds = worker.stop_seconds + 10
    if worker.monit_start_seconds is None:
        worker.monit_start_seconds = worker.start_seconds + 10
    if worker.monit_restart_seconds is None:
        worker.monit_restart_seconds = worker.monit_stop_seconds + worker.monit_start_seconds
    for shorter, longer in (*zip(_ORDER, _ORDER[1:]), ("start_seconds", "monit_start_seconds")):
        least = getattr(worker, shorter)
        if least >= getattr(worker, longer):
            _refuse(label, longer, "too short", getattr(worker, longer), f"use more than {shorter}, which is {least}")


def _derive_memory(worker: Worker, label: Label, memory: int | None) -> None:
    """Set limit and ceiling in bytes. `memory` is that of the host, or None while it is unknown."""
    if worker.max_memory is None:
        return
    limit = _size(worker.max_memory, "max_memory", label, memory)
    if memory is not None and limit >= memory:
        _refuse(
            label,
            "max_memory",
            "not less than the memory of the box",
            worker.max_memory,
            f"use less than {format_size(memory)}, or the limit can never take effect",
        )
    if worker.ceiling is not None:
        ceiling = _size(worker.ceiling, "ceiling", label, memory)
        if ceiling <= limit:
            _refuse(
                label,
                "ceiling",
                "not more than max_memory",
                worker.ceiling,
                f"use more than {format_size(limit)}, or the kernel kills before monit restarts",
            )
        if memory is not None and ceiling > memory:
            _refuse(
                label,
                "ceiling",
                "more than the memory of the box",
                worker.ceiling,
                f"use at most {format_size(memory)}",
            )
    else:
        ceiling = limit * 6 // 5
        if memory is not None:
            # If a fifth on top exceeds the host's memory, the worker gets half of what the limit leaves.
            ceiling = min(ceiling, (limit + memory) // 2)
    worker.limit_bytes, worker.ceiling_bytes = limit, ceiling


def _size(value: str | int, key: str, label: Label, whole: int | None) -> int:
    try:
        size: int = parse_size(value, whole=whole if whole is not None else 1 << 40)
    except ValueError as error:
        raise SettingsError(f"{label(key)}: {error}") from error
    if size < LEAST_MEMORY:
        _refuse(label, key, "less than 1 MB", value, "write a unit, such as 13 GB")
    return size


def _age(worker: Worker, label: Label, host: str) -> int | None:
    """Return the age in seconds at which the worker is restarted: constant for a host, different between hosts."""
    if worker.max_age is None:
        return None
    try:
        age: float = parse_duration(worker.max_age)
    except ValueError as error:
        raise SettingsError(f"{label('max_age')}: {error}") from error
    if age < 60:
        _refuse(label, "max_age", "less than a minute", worker.max_age, "write a unit, such as 12h")
    return int(age * (1 + _SPREAD * (zlib.crc32(f"{host}/{worker.name}".encode()) % 1000) / 1000))


def _derive_application(worker: Worker, label: Label, found: SidekiqWorker | None) -> None:
    """Set user, command, files and command line of a worker that systemd runs."""
    for key in ("pidfile", "start_command", "stop_command", "restart_command"):
        if getattr(worker, key) is not None:
            remedy = "remove it, or set manager to command"
            _refuse(label, key, "not used with manager systemd", getattr(worker, key), remedy)
    if worker.app_path is None:
        raise SettingsError(f"{label('app_path')}: missing; set the directory of the application")
    if worker.threads is None:
        worker.threads = 10
    for key in ("app_path", "config_file", "require"):
        value = getattr(worker, key)
        if value is not None and re.search(r"[\s'\"%$\\]", value):
            remedy = "use a path without blanks, quotes, %, $ and backslashes"
            _refuse(label, key, "a path that systemd and the shell would change", value, remedy)
    if not worker.app_path.startswith("/"):
        _refuse(label, "app_path", "not absolute", worker.app_path, "begin it with /")
    for key in ("environment", "user"):
        value = getattr(worker, key)
        if value is not None and not _WORD.match(str(value)):
            _refuse(label, key, "not a name", value, "use letters, digits and . _ -")
    worker.environment_text = unit_text.environment(worker.variables, label("variables"))
    if found is not None:
        _take_facts(worker, worker.app_path, label, found)
    worker.pidfile = PIDFILE % worker.name
    worker.config_file = worker.config_file or worker.app_path.rstrip("/") + "/config/sidekiq.yml"
    words = ["-e", worker.environment, "-C", worker.config_file]
    words += ["-c", str(worker.threads), "-t", str(worker.timeout_seconds)]
    if worker.require:
        words += ["-r", worker.require]
    worker.exec = unit_text.words([*shlex.split(worker.command if found and worker.command else "sidekiq"), *words])


def _take_facts(worker: Worker, app_path: str, label: Label, found: SidekiqWorker) -> None:
    if not found["app_path_exists"]:
        _refuse(
            label, "app_path", "no such directory on the box", app_path, "deploy the application, or correct the path"
        )
    if found["user_error"]:
        raise SettingsError(
            f"{label('user')}: {found['user_error']}; set sidekiq_watchdog_user, or give the directory to a user"
        )
    # The role creates this one.
    if not found["user_exists"] and found["user"] != "sidekiq":
        _refuse(label, "user", "no such user on the box", found["user"], "create the user, or correct the name")
    if found["command_error"]:
        raise SettingsError(f"{label('command')}: {found['command_error']}")
    worker.user, worker.command, worker.notify = found["user"], found["command"], found["notify"]


def _check_commands(worker: Worker, label: Label, found: SidekiqWorker | None) -> None:
    """Refuse a worker that other commands start and stop, if they could not work."""
    for key in ("pidfile", "start_command", "stop_command"):
        value = getattr(worker, key)
        if not value:
            raise SettingsError(f"{label(key)}: missing; manager command needs it")
        if re.search(r"[\"\n]", value):
            _refuse(label, key, "has a double quote or a line break", value, "write one line without double quotes")
    if found is not None and not found["pidfile_alive"]:
        _refuse(
            label,
            "pidfile",
            "does not hold the ID of a running process",
            worker.pidfile,
            "let the worker write its process ID there, or monit restarts a healthy worker again and again",
        )
