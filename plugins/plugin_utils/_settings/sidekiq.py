# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sidekiq workers as the inventory declares them, with everything that follows from it: ceilings, timeouts, monit's rules.

One number, the worker's memory limit, gives three lines of defence that must stand in this order: monit restarts gracefully at the
limit; the kernel kills within the worker's own control group at the ceiling above it; the rest of the box is left with the rest.
"""

from __future__ import annotations

import math
import re
import shlex
import zlib
from dataclasses import dataclass, field, fields

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import LEAST_MEMORY
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, parse_duration, parse_size
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.watchdog import PIDFILE

PROGRAM = "/usr/local/sbin/sidekiq-watchdog"

# The name becomes a unit's name, a file's name, and a word in monit's commands.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}$")
_MANAGERS = ("systemd", "command")
_ON_REPEAT = ("give_up", "alert")
_SPREAD = 0.2  # the share of max_age by which boxes are spread, so that a fleet doesn't restart together

# Each timeout and the one that must be longer: a program that is ended while it still does what it should is ended for nothing.
_ORDER = ("timeout_seconds", "stop_seconds", "monit_stop_seconds", "monit_restart_seconds")


@dataclass
class Settings:
    """One worker, before and after what was left out is derived. Sizes and ages are as people write them."""

    name: str
    app_path: str | None = None
    environment: str = "production"
    max_memory: str | int | None = None
    threads: int | None = None
    user: str | None = None
    command: str | None = None
    require: str | None = None
    config_file: str | None = None
    variables: dict = field(default_factory=dict)
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


# What sidekiq_facts is asked for each worker.
_INSPECTED = ("name", "manager", "app_path", "user", "command", "pidfile")
KEYS = tuple(one.name for one in fields(Settings))


def resolve(declared, defaults, box, host, variables=None, thresholds=None):
    """The workers as dictionaries for the role: what the inventory says, and what follows.

    V(declared) is the list of the inventory, merged; V(defaults) holds for every worker; V(box) is what lifeline.fleet.sidekiq_facts
    found, or None where the box is not known yet; V(variables) maps a key to the inventory's variable that it comes from, where it has
    one of its own; V(thresholds) is what lifeline_thresholds merges to, by default health's own. Raises SettingsError with host, variable,
    value, and what is allowed.
    """
    workers = []
    for entry in declared:

        def label(key, name=entry["name"]):
            return "%s: %s" % (host, (variables or {}).get(key) or "sidekiq_watchdog_workers: %s: %s" % (name, key))

        for key in entry:
            if key not in KEYS:
                raise SettingsError(f"{label(key)} is no key of a worker: it must be one of {', '.join(KEYS)}")
        given = {key: value for key, value in {**defaults, **entry}.items() if value not in (None, "")}
        workers.append(_worker(Settings(**given), label, box, host, thresholds or judge_thresholds.defaults()))
    return workers


def _refuse(label, key, value, allowed):
    raise SettingsError(f"{label(key)} is {value!r}: it must be {allowed}")


def _worker(worker, label, box, host, thresholds):
    if not _NAME.match(worker.name):
        _refuse(label, "name", worker.name, "letters, digits and . _ -, at most 61 of them")
    if worker.manager not in _MANAGERS:
        _refuse(label, "manager", worker.manager, "systemd or command")
    if worker.on_repeat not in _ON_REPEAT:
        _refuse(label, "on_repeat", worker.on_repeat, "give_up or alert")
    for key in (
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
    ):
        _positive(worker, key, label)
    if worker.restarts > worker.within_cycles:
        _refuse(label, "restarts", worker.restarts, f"at most within_cycles, which is {worker.within_cycles}")
    _timeouts(worker, label)
    found = (box or {}).get("workers", {}).get(worker.name)
    result = {
        **{key: getattr(worker, key) for key in KEYS},
        **_memory(worker, label, (box or {}).get("memory_bytes")),
        "max_age_seconds": _age(worker, label, host),
        "unit": worker.name + ".service",
        "inspect": {key: getattr(worker, key) for key in _INSPECTED},
        "given_up": bool(found and found["given_up"]),
        "paused": bool(found and found["paused"]),
    }
    if worker.manager == "systemd":
        _application(worker, result, label, found)
    else:
        _commands(worker, label, found)
    result["check"] = _check(result, thresholds["process_fds_used_percent"]["critical"])
    return result


def _positive(worker, key, label):
    value = getattr(worker, key)
    if value is None:
        return
    if isinstance(value, bool) or not re.match(r"\s*[1-9]\d{0,8}\s*$", str(value)):
        _refuse(label, key, value, "a whole number, 1 or more")
    setattr(worker, key, int(value))


def _timeouts(worker, label):
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
        if getattr(worker, shorter) >= getattr(worker, longer):
            _refuse(
                label, longer, getattr(worker, longer), f"more than {shorter}, which is {int(getattr(worker, shorter))}"
            )


def _memory(worker, label, box_memory):
    """The limit and the ceiling in bytes."""
    if worker.max_memory is None:
        return {"limit_bytes": None, "ceiling_bytes": None}
    limit = _size(worker.max_memory, "max_memory", label, box_memory)
    if box_memory is not None and limit >= box_memory:
        _refuse(
            label,
            "max_memory",
            worker.max_memory,
            f"less than the memory of the box, which is {format_size(box_memory)}: it could never strike",
        )
    if worker.ceiling is not None:
        ceiling = _size(worker.ceiling, "ceiling", label, box_memory)
        if ceiling <= limit:
            _refuse(
                label,
                "ceiling",
                worker.ceiling,
                f"more than max_memory, which is {format_size(limit)}: else the kernel kills before monit restarts",
            )
        if box_memory is not None and ceiling > box_memory:
            _refuse(
                label, "ceiling", worker.ceiling, f"at most the memory of the box, which is {format_size(box_memory)}"
            )
    else:
        ceiling = limit * 6 // 5
        if box_memory is not None:
            # Where a fifth on top is more than the box has, the worker gets half of what the limit leaves.
            ceiling = min(ceiling, (limit + box_memory) // 2)
    return {"limit_bytes": limit, "ceiling_bytes": ceiling}


def _size(value, key, label, whole):
    try:
        size = parse_size(value, whole=whole if whole is not None else 1 << 40)
    except ValueError as error:
        raise SettingsError(f"{label(key)}: {error}") from error
    if size < LEAST_MEMORY:
        _refuse(label, key, value, "1 MB or more: write a unit, such as 13 GB")
    return size


def _age(worker, label, host):
    """The age at which the worker is restarted, in seconds: the same for ever on one box, different on the next."""
    if worker.max_age is None:
        return None
    try:
        age = parse_duration(worker.max_age)
    except ValueError as error:
        raise SettingsError(f"{label('max_age')}: {error}") from error
    if age < 60:
        _refuse(label, "max_age", worker.max_age, "a minute or more")
    return int(age * (1 + _SPREAD * (zlib.crc32(f"{host}/{worker.name}".encode()) % 1000) / 1000))


def _application(worker, result, label, found):
    for key in ("pidfile", "start_command", "stop_command", "restart_command"):
        if getattr(worker, key) is not None:
            _refuse(label, key, getattr(worker, key), "left out, for systemd does it; or set manager to command")
    if worker.app_path is None:
        _refuse(label, "app_path", worker.app_path, "the directory of the application")
    if worker.threads is None:
        worker.threads = result["threads"] = 10
    for key in ("app_path", "config_file", "require"):
        value = getattr(worker, key)
        if value is not None and re.search(r"[\s'\"%$\\]", value):
            _refuse(label, key, value, "a path without blanks, quotes, %, $ and backslashes")
    if found is not None:
        if not found["app_path_exists"]:
            _refuse(label, "app_path", worker.app_path, "a directory on the box, where there is nothing of that name")
        if found["command_error"]:
            raise SettingsError(f"{label('command')}: {found['command_error']}")
        result["user"] = found["user"]
        result["command"] = found["command"]
    result["pidfile"] = PIDFILE % worker.name
    result["config_file"] = worker.config_file or worker.app_path.rstrip("/") + "/config/sidekiq.yml"
    result["notify"] = bool(found and found["notify"])
    words = [
        "-e",
        worker.environment,
        "-C",
        result["config_file"],
        "-c",
        str(worker.threads),
        "-t",
        str(worker.timeout_seconds),
    ]
    if worker.require:
        words += ["-r", worker.require]
    result["exec"] = " ".join([result["command"] or "sidekiq", *map(shlex.quote, words)])


def _commands(worker, label, found):
    for key in ("pidfile", "start_command", "stop_command"):
        if not getattr(worker, key):
            _refuse(label, key, getattr(worker, key), "given where manager is command")
        if re.search(r"[\"\n]", getattr(worker, key)):
            _refuse(label, key, getattr(worker, key), "one line without double quotes")
    if found is not None and not found["pidfile_alive"]:
        _refuse(
            label,
            "pidfile",
            worker.pidfile,
            "a file that the running worker writes its number to: there is none, or no process of "
            "that number, so that the rule would restart a healthy worker for ever",
        )


def _check(worker, fds_percent):
    """The worker's check in the words of role monit. V(fds_percent): at which share of its descriptors it is restarted, if at all."""
    name = worker["name"]
    if worker["manager"] == "systemd":
        start, stop, restart = (f"{PROGRAM} {verb} {name}" for verb in ("start", "stop", "restart"))
        # systemd brings a dead worker back, and nobody a worker that somebody stopped.
        missing = "if does not exist for 3 cycles then alert"
    else:
        start, stop = worker["start_command"], worker["stop_command"]
        restart = worker["restart_command"]
        missing = "if does not exist for 2 cycles then start"
    rules = [
        f'start program = "{start}" with timeout {int(worker["monit_start_seconds"])} seconds',
        f'stop program = "{stop}" with timeout {int(worker["monit_stop_seconds"])} seconds',
    ]
    if restart:
        rules.append(f'restart program = "{restart}" with timeout {int(worker["monit_restart_seconds"])} seconds')
    rules.append(missing)
    if worker["limit_bytes"] is not None:
        rules.append(f"if totalmem > {worker['limit_bytes']} B for {worker['cycles']} cycles then restart")
    if fds_percent is not None and worker["manager"] == "systemd":
        # Who has no descriptor left does nothing any more, but lives. What systemd doesn't start has a limit that is not ours.
        rules.append(
            f"if filedescriptors >= {math.ceil(worker['open_files'] * fds_percent / 100)} for {worker['cycles']} cycles then restart"
        )
    if worker["max_age_seconds"] is not None:
        rules.append(f"if uptime > {int(worker['max_age_seconds'])} seconds then restart")
    repeated = f"if {worker['restarts']} restarts within {worker['within_cycles']} cycles then "
    if worker["on_repeat"] == "give_up":
        # Monit reads them from the last to the first: noted and told, the second time as the first, and then looked away from.
        rules += [repeated + "unmonitor", repeated + f'exec "{PROGRAM} give-up {name}" repeat every 1 cycles']
    else:
        rules.append(repeated + "alert")
    return {"name": name, "check": "process", "with": f"pidfile {worker['pidfile']}", "rules": rules}
