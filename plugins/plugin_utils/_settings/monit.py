# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn checks into statements of monit's language.

A check is a dictionary with `name`, `check` (the kind), `with` (the object, in monit's language), `rules` (a list of
statements), and `state`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import Thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import is_percentage, parse_size
from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import listening

Check = dict[str, Any]

KINDS = ("process", "file", "fifo", "filesystem", "directory", "host", "system", "program", "network")
READY_MADE = ("system", "filesystems", "sshd", "oom", "workers")

_KEYS = ("name", "check", "with", "rules", "state")
# The name becomes the name of a file, and a word of monit's commands.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}$")
_LIBRARY = "/usr/local/lib/lifeline"


def text(check: Check) -> str:
    """Return a check as the text of a control file."""
    name = check["name"]
    lines = [f"check {check['check']} {name}"]
    if check.get("with"):
        lines[0] += f" with {check['with']}"
    return "\n  ".join(lines + list(check.get("rules") or ())) + "\n"


def checked(checks: Iterable[Check]) -> list[Check]:
    """Return the checks that are not absent. Raises SettingsError if one is wrong."""
    return [check for check in map(_valid, checks) if check.get("state", "present") == "present"]


def _valid(check: Check) -> Check:
    name = check["name"]
    label = f"monit_checks: {name}"
    if not _NAME.match(name):
        raise SettingsError(f"monit_checks: not a name ({name!r}); use at most 100 letters, digits and . _ @ -")
    for key in check:
        if key not in _KEYS:
            raise SettingsError(f"{label}: unknown key ({key!r}); use one of {', '.join(_KEYS)}")
    if check.get("state", "present") not in ("present", "absent"):
        raise SettingsError(f"{label}: state: unknown ({check['state']!r}); use present or absent")
    if check.get("state") == "absent":
        return check
    if check.get("check") not in KINDS:
        raise SettingsError(f"{label}: check: unknown kind ({check.get('check')!r}); use one of {', '.join(KINDS)}")
    if "\n" in str(check.get("with") or ""):
        raise SettingsError(f"{label}: with: several lines ({check['with']!r}); give one line")
    rules = check.get("rules", [])
    if not isinstance(rules, list) or not all(
        isinstance(rule, str) and rule.strip() and "\n" not in rule for rule in rules
    ):
        raise SettingsError(
            f"{label}: rules: not a list of lines ({rules!r}); give statements of one line, such as "
            "'if totalmem > 300 MB for 3 cycles then alert'"
        )
    return check


# --- ready-made checks: those of health that monit can do itself ---------------------------------------------------


def ready_made(
    names: Iterable[str], thresholds: Thresholds, workers: Iterable[Worker], alarm: str, sshd_port: int
) -> list[Check]:
    """Return the ready-made checks of some names. Raises SettingsError.

    `thresholds` are the merged thresholds of the host, and `alarm` is the action of a rule that matches: `alert`, or
    `exec "program"`.
    """
    for name in names:
        if name not in READY_MADE:
            raise SettingsError(f"monit_ready_made: unknown check ({name!r}); use {', '.join(READY_MADE)}")
    checks: list[Check] = []
    if "system" in names:
        checks.append({"name": "lifeline_system", "check": "system", "rules": _system(thresholds, alarm)})
        words = _words(thresholds, "memory_available_percent", "memory_available_mib")
        checks.append(_program("lifeline_memory", f"check-memory {words}", (1, 2), alarm, 2))
    if "filesystems" in names:
        checks.append(
            _program(
                "lifeline_filesystems",
                "check-filesystems "
                + _words(
                    thresholds, "disk_used_percent", "disk_available_mib", "inodes_used_percent", "inodes_available"
                ),
                (1, 2),
                alarm,
            )
        )
    if "sshd" in names:
        port = sshd_port or listening.PORT
        checks.append(
            {
                "name": "lifeline_sshd",
                "check": "host",
                # Without a port, the host itself says where sshd listens.
                "with": f"address {'127.0.0.1' if sshd_port else listening.ADDRESS}",
                "rules": [f"if failed port {port} protocol ssh with timeout 10 seconds for 2 cycles then {alarm}"],
            }
        )
    if "oom" in names:
        checks.append(_program("lifeline_oom", "check-oom-kills", _levels(thresholds["oom_kills"]), alarm))
    if "workers" in names:
        checks += [_worker(worker, thresholds, alarm) for worker in workers if worker.required]
    return [check for check in checks if check["rules"]]


def _levels(levels: Mapping[str, float | None]) -> list[float]:
    both = (levels[level] for level in ("warning", "critical"))
    return [level for level in both if level is not None]


def _words(thresholds: Thresholds, *names: str) -> str:
    """Return both levels of each of these checks as words of a command, `-` for a level that is switched off."""
    levels = (thresholds[name][level] for name in names for level in ("warning", "critical"))
    return " ".join("-" if level is None else f"{level:.15g}" for level in levels)


def _system(thresholds: Thresholds, alarm: str) -> list[str]:
    # A full swap is critical only together with something that monit does not measure.
    rules = [
        f"if swap usage >= {level:g}% for 2 cycles then {alarm}"
        for level in _levels(thresholds["swap_used_percent"])[:1]
    ]
    for name, resource in (
        ("load_per_cpu", "loadavg (5min) per core >= %g"),
        ("fds_used_percent", "filedescriptors >= %g%%"),
    ):
        rules += [f"if {resource % level} for 2 cycles then {alarm}" for level in _levels(thresholds[name])]
    return rules


def _program(name: str, command: str, levels: Iterable[float], alarm: str, cycles: int = 1) -> Check:
    # Each level has its own rule, so a worse one is an event of its own.
    return {
        "name": name,
        "check": "program",
        "with": f'path "{_LIBRARY}/{command}" with timeout 20 seconds',
        "rules": [
            f"if status >= {level:g}{'' if cycles == 1 else f' for {cycles} cycles'} then {alarm}" for level in levels
        ],
    }


def _worker(worker: Worker, thresholds: Thresholds, alarm: str) -> Check:
    rules = []
    if thresholds["workers_missing"]["critical"] is not None or thresholds["workers_missing"]["warning"] is not None:
        rules.append(f"if does not exist for 3 cycles then {alarm}")
    if worker.max_memory is not None:
        rules += [
            f"if totalmem >= {share(worker.max_memory, level)} for 2 cycles then {alarm}"
            for level in _levels(thresholds["worker_memory_percent"])
        ]
    return {
        "name": f"lifeline_worker_{re.sub('[^A-Za-z0-9_.@-]', '_', worker.name)}",
        "check": "process",
        "with": f'matching "{extended(worker.pattern.pattern, worker.name)}"',
        "rules": rules,
    }


def share(size: str | int | float, percent: float) -> str:
    """Return a percentage of a size as the value of a monit rule.

    `size` is a number of bytes, a size, or a percentage of the memory.
    """
    if is_percentage(size):
        return f"{round(parse_size(size, whole=100000) / 1000 * percent / 100, 1):g}%"
    return "%d B" % -(-parse_size(size) * percent // 100)


_CLASSES = {
    r"\d": "[0-9]",
    r"\D": "[^0-9]",
    r"\s": "[[:space:]]",
    r"\S": "[^[:space:]]",
    r"\w": "[[:alnum:]_]",
    r"\W": "[^[:alnum:]_]",
}


def extended(pattern: str, worker: str) -> str:
    """Return a Python pattern as the POSIX extended regular expression that monit needs. Raises SettingsError."""
    if re.search(r"\(\?|[*+?}]\?|\\[1-9AbBZ]|\[[^\]]*\\[dDsSwW]|[\"\n]", pattern):
        raise SettingsError(
            f"lifeline_workers: {worker}: monit has no such regular expression ({pattern!r}); avoid (?...), lazy "
            "repetition, back-references, \\b, quotes, and classes within brackets, or remove 'workers' from "
            "monit_ready_made"
        )
    return re.sub(r"\\(.)", lambda match: _CLASSES.get(match.group(), match.group()), pattern)
