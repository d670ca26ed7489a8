# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out what a host has for a worker: its application, its user, its command and its version of Sidekiq."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from typing import Callable, List, NamedTuple, Optional, Tuple, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import SidekiqWorker
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog

# From this release on, Sidekiq tells systemd when it is ready.
NOTIFY_SINCE = (6, 0, 6)


class Spec(TypedDict):
    """One worker, as the module's options declare it."""

    name: str
    manager: str
    app_path: Optional[str]
    user: Optional[str]
    command: Optional[str]
    pidfile: Optional[str]


class Host(NamedTuple):
    """How to find a program (None without it), and how to run one in a folder: exit code, output and errors."""

    find: Callable[[str], Optional[str]]
    run: Callable[[List[str], str], Tuple[int, str, str]]


class _Command(NamedTuple):
    text: str
    error: Optional[str] = None
    version: Optional[str] = None


def facts(spec: Spec, host: Host) -> SidekiqWorker:
    """Return the facts of one worker.

    Application, user and version are those of workers with the manager systemd only.
    """
    state = watchdog.STATE % spec["name"]
    noted = watchdog.parse(regular.read(state, watchdog.LARGEST) or "")
    found: SidekiqWorker = {
        "app_path_exists": False,
        "user": spec["user"],
        "user_exists": False,
        "user_error": None,
        "command": spec["command"],
        "command_error": None,
        "version": None,
        "notify": False,
        "pidfile_alive": pidfile_alive(spec["pidfile"]),
        "restarts": noted["restarts"],
        "given_up": noted["given_up"],
        "paused": noted["paused"],
    }
    path = spec["app_path"]
    if spec["manager"] != "systemd" or not path or not os.path.isdir(path):
        return found
    found["app_path_exists"] = True
    if not found["user"]:
        found["user"], found["user_error"] = owner(path)
    found["user_exists"] = found["user"] is not None and exists(found["user"])
    command = inspect(
        spec["command"], path, found["user"] if found["user"] and found["user_exists"] else "nobody", host
    )
    found["command"], found["command_error"], found["version"] = command.text, command.error, command.version
    found["notify"] = command.version is not None and version_numbers(command.version) >= NOTIFY_SINCE
    return found


def owner(path: str) -> Tuple[Optional[str], Optional[str]]:
    """Return the user who owns a folder, "sidekiq" for root, and None; or None and what is wrong with the owner."""
    uid = os.stat(path).st_uid
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return None, f"{path} belongs to user ID {uid}, which has no entry in the passwd database"
    return ("sidekiq" if name == "root" else name), None


def exists(user: str) -> bool:
    """Return whether the host has a user."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def pidfile_alive(path: Optional[str]) -> bool:
    """Return whether a pidfile holds the ID of a running process."""
    pid = (regular.read(path, watchdog.LARGEST) or "").strip() if path else ""
    return pid.isascii() and pid.isdecimal() and os.path.isdir("/proc/" + pid)


def version_numbers(version: str) -> Tuple[int, ...]:
    """Return 6.0.6 as (6, 0, 6)."""
    return tuple(int(number) for number in version.split("."))


def inspect(declared: Optional[str], path: str, user: str, host: Host) -> _Command:
    """Find the program of a command (by default Bundler's or the system's Sidekiq) and ask it for its version."""
    text = declared
    if not text:
        text = "bundle exec sidekiq" if os.path.exists(os.path.join(path, "Gemfile")) else "sidekiq"
    try:
        words = shlex.split(text)
    except ValueError as error:
        return _Command(text, f"not a command line ({text!r}): {str(error).lower()}; write it as in a shell")
    if not words or not words[0]:
        return _Command(text, f"names no program ({text!r}); write for example bundle exec sidekiq")
    program = words[0] if words[0].startswith("/") else host.find(words[0])
    if program is None or not os.access(program, os.X_OK):
        return _Command(text, f"no such program on the host ({words[0]}); install Sidekiq, or set the command")
    words[0] = program
    line = " ".join(words)
    # As the worker's user: the application's own files choose the version, and other users may not be able to read
    # them.
    try:
        code, out, errors = host.run(["runuser", "-u", user, "--", *words, "-V"], path)
    except OSError as error:
        code, out, errors = 127, "", str(error)
    version = re.search(r"Sidekiq ([0-9]{1,9}(?:\.[0-9]{1,9})+)", out)
    if code or version is None:
        answer = escape(" ".join((errors or out).split())[:300]) or ("no output" if code >= 0 else "it was killed")
        return _Command(line, f"{line} -V fails as user {user} in {path}: {answer}")
    return _Command(line, None, version.group(1))
