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
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import command, rubies, watchdog

# From this release on, Sidekiq tells systemd when it is ready.
NOTIFY_SINCE = (6, 0, 6)


# A look takes seconds; a command that waits for a job or a terminal never ends.
_SECONDS = 50
_TIMED_OUT = (124, 137)
# Redis may listen on a socket in these, which a service without a network still reaches.
_SOCKETS = ("/run/redis", "/run/valkey", "/run/redis.sock")


class Spec(TypedDict):
    """One worker, as the module's options declare it."""

    name: str
    manager: str
    app_path: Optional[str]
    config_file: Optional[str]
    user: Optional[str]
    command: Optional[str]
    pidfile: Optional[str]


class Host(NamedTuple):
    """Functions that find a program (None without it), and that run one in a folder: exit code, output and errors."""

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
        "config_file": None,
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
    found["config_file"] = os.path.realpath(spec["config_file"] or os.path.join(path, "config", "sidekiq.yml"))
    if not found["user"]:
        found["user"], found["user_error"] = owner(path)
    found["user_exists"] = found["user"] is not None and exists(found["user"])
    user = found["user"] if found["user"] and found["user_exists"] else "nobody"
    looked = inspect(spec["command"], path, user, host)
    found["command"], found["command_error"], found["version"] = looked.text, looked.error, looked.version
    found["notify"] = looked.version is not None and version_numbers(looked.version) >= NOTIFY_SINCE
    return found


def owner(path: str) -> Tuple[Optional[str], Optional[str]]:
    """Return the user who owns a folder, "sidekiq" for root, and None; or None and what is wrong with the owner."""
    uid = os.stat(path).st_uid
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return None, f"{path} belongs to user ID {uid}, which has no entry in the passwd database"
    return ("sidekiq" if name == "root" else name), None


def home(user: str) -> Optional[str]:
    """Return the home of a user, or None if the host has no such user."""
    try:
        return pwd.getpwnam(user).pw_dir
    except (KeyError, ValueError):
        return None


def exists(user: str) -> bool:
    """Return whether the host has a user."""
    try:
        pwd.getpwnam(user)
    except (KeyError, ValueError):
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
    """Find the program of a command (by default Bundler's or the system's Sidekiq) and ask it for its version.

    Without a command, the Rubies of version managers and the login shell of the user are tried as well.
    """
    default = "bundle exec sidekiq" if os.path.exists(os.path.join(path, "Gemfile")) else "sidekiq"
    try:
        first = _look(command.words(declared or default), path, user, host)
    except command.CommandError as error:
        return _Command(declared or default, str(error))
    if first.error is None:
        return first
    program, _blank, rest = default.partition(" ")
    others = [shlex.quote(found) + " " + rest for found in rubies.programs(program, path, home(user))]
    if declared:
        return first._replace(error=first.error + _way_out(others, user))
    others.append("/bin/bash -lc " + shlex.quote(default))
    for other in others:
        found = _look(command.words(other.strip()), path, user, host)
        if found.error is None:
            return found
    return first._replace(error=first.error + _way_out(others, user))


def _way_out(others: List[str], user: str) -> str:
    tried = ", ".join(other.strip() for other in others[:4])
    return f" (on the host: {tried}; set it to the one that works for {user})" if tried else ""


def _look(words: List[str], path: str, user: str, host: Host) -> _Command:
    """Ask a command for its version, in a way that cannot start a worker."""
    line = shlex.join(words)
    program = words[0] if words[0].startswith("/") else host.find(words[0])
    if "/" in words[0] and not words[0].startswith("/"):
        program = os.path.join(path, words[0])
    if program is None or not os.access(program, os.X_OK):
        return _Command(line, f"no such program on the host ({words[0]}); install Sidekiq, or set the command")
    words = [program, *words[1:]]
    line = shlex.join(words)
    reason = command.unfit(words, path)
    if reason:
        return _Command(line, reason)
    runner = host.find("systemd-run")
    if runner is None:
        return _Command(line, "the host has no systemd-run; set manager to command for a host without systemd")
    # As the worker's user: the application's own files choose the version, and other users may not be able to read
    # them.
    try:
        code, out, errors = host.run([runner, *_options(path, user), *_escaped(words), "-V"], "/")
    except OSError as error:
        code, out, errors = 127, "", str(error)
    version = re.search(r"Sidekiq ([0-9]{1,9}(?:\.[0-9]{1,9})+)", out)
    if code in _TIMED_OUT:
        return _Command(
            line,
            f"{line} -V does not end within {_SECONDS} s; have the command pass its options on to Sidekiq, "
            "which then prints its version",
        )
    if code or version is None:
        answer = escape(" ".join((errors or out).split())[:300]) or ("no output" if code >= 0 else "it was killed")
        return _Command(line, f"{line} -V fails as user {user} in {path}: {answer}")
    return _Command(line, None, version.group(1))


def _escaped(words: List[str]) -> List[str]:
    """Return words for systemd, which replaces $NAME in the words of a command."""
    return [word.replace("$", "$$") for word in words]


def _options(path: str, user: str) -> List[str]:
    """Return the options of a service for one look: like the worker's unit, but it reaches no Redis and always ends."""
    properties = (
        "PrivateNetwork=yes",
        f"InaccessiblePaths={' '.join('-' + socket for socket in _SOCKETS)}",
        f"RuntimeMaxSec={_SECONDS + 10}",
        "TimeoutStopSec=5",
    )
    return [
        *("--quiet", "--wait", "--pipe", "--collect", f"--uid={user}", f"--working-directory={path}"),
        *(word for one in properties for word in ("-p", one)),
        *("--", "timeout", "--kill-after=5", str(_SECONDS)),
    ]
