# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the running monit read its configuration and monitor its checks, and wait until it reports so."""

from __future__ import annotations

import glob
import http.client
import math
import os
import re
import socket
import time
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._commands import Commands, words
from ansible_collections.lifeline.fleet.plugins.module_utils._monit import others, status as monit_status
from ansible_collections.lifeline.fleet.plugins.module_utils._monit.status import Status

_SOCKET = re.compile(r"^\s*set\s+httpd\s+unixsocket\s+[\"']?([^\s\"']+)", re.IGNORECASE | re.MULTILINE)
_STATES = {"no": "it is not monitored", "waiting": "it waits for a check that it depends on"}


class DaemonError(Exception):
    """monit does not do what its configuration says; the text says what it reports instead."""


class Options(NamedTuple):
    """The user's options: the control file, the checks that must be monitored, and seconds to wait for them.

    `poll_seconds` is the time between two polls that monit must have in force, None for any.
    """

    control_file: str
    checks: Sequence[str]
    timeout: int
    poll_seconds: Optional[int] = None


class _Connection(http.client.HTTPConnection):
    """HTTP through monit's socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: str, timeout: float = 10) -> Status:
    """Return what monit reports through its socket. Raises OSError or ValueError."""
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", "/_status?format=xml")
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise ValueError(f"it broke off its answer: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"it answers {answer.status} {answer.reason}")
    return monit_status.parse(body)


def newest(control_file: str, text: str) -> float:
    """Return when a file that monit reads, or a directory of such files, was last changed, in seconds since 1970."""
    paths = [control_file]
    for pattern in others.INCLUDE.findall(text):
        paths += [os.path.dirname(pattern), *glob.glob(pattern)]
    return max(os.stat(path).st_mtime for path in paths if os.path.exists(path))


def complaints(answer: Status, names: Sequence[str]) -> Dict[str, str]:
    """Return why checks are not monitored, by their names."""
    found = {}
    for name in names:
        check = answer["checks"].get(name)
        if check is None:
            found[name] = "monit does not know it"
        elif check["monitored"] != "yes":
            why = _STATES.get(check["monitored"] or "", "it is still initializing")
            found[name] = f"{why}: {check['message']}" if check["message"] else why
    return found


class Daemon:
    """The running monit. `ask` takes the socket's path and returns what monit reports."""

    def __init__(
        self, commands: Commands, options: Options, check_mode: bool = False, ask: Callable[[str], Status] = ask
    ) -> None:
        self._commands, self._options, self._check_mode, self._ask = commands, options, check_mode, ask
        self._deadline = time.monotonic() + options.timeout
        try:
            with open(options.control_file, encoding="utf-8", errors="surrogateescape") as stream:
                self._text = stream.read()
        except OSError as error:
            raise DaemonError(f"{options.control_file} cannot be read: {error.strerror}") from error
        found = _SOCKET.search(self._text)
        if found is None:
            raise DaemonError(
                f"{options.control_file} has no 'set httpd unixsocket', so monit cannot be asked; add the statement"
            )
        self._socket = found.group(1)
        monit = commands.find("monit")
        if monit is None:
            raise DaemonError("monit is not installed on this host; install the package monit")
        self._monit = monit

    def run(self) -> Dict[str, Any]:
        """Reload monit if needed and monitor the checks; return the module's result. Raises DaemonError."""
        names = self._options.checks
        changed = newest(self._options.control_file, self._text)
        answer = self._wait(lambda answer: True, str)
        stale = answer["incarnation"] <= changed or bool(self._other_poll(answer))
        if stale and not self._check_mode:
            answer = self._reload(changed)
        forgotten = [name for name in names if name in answer["checks"] and answer["checks"][name]["monitored"] == "no"]
        if not self._check_mode:
            for name in forgotten:
                self._command("monitor", name)
            answer = self._wait(
                lambda answer: not complaints(answer, names),
                lambda answer: "; ".join(f"check {name}: {why}" for name, why in complaints(answer, names).items()),
            )
            said = self._other_poll(answer)
            if said:
                raise DaemonError(said)
        return {
            "changed": bool(stale or forgotten),
            "reloaded": stale,
            "monitored_again": forgotten,
            "version": answer["version"],
            "checks": answer["checks"],
        }

    def _other_poll(self, answer: Status) -> str:
        """Return which statement makes monit poll at another time than it must."""
        wanted, got = self._options.poll_seconds, answer["poll_seconds"]
        if wanted is None or got is None or wanted == got:
            return ""
        place = others.poll_place(self._options.control_file, self._text) or self._options.control_file
        return f"monit polls every {got} s instead of {wanted}: {place} says so; remove the statement"

    def _command(self, *arguments: str) -> None:
        answer = self._commands.run(self._monit, "-c", self._options.control_file, *arguments)
        if answer[0]:
            raise DaemonError(f"monit {' '.join(arguments)} failed: {words(answer)}")

    def _wait(self, done: Callable[[Status], bool], complaint: Callable[[Status], str]) -> Status:
        """Return what monit reports as soon as `done` accepts it. Raises DaemonError with the last complaint."""
        while True:
            try:
                answer = self._ask(self._socket)
                if done(answer):
                    return answer
                said = complaint(answer)
            except (OSError, ValueError) as error:
                said = f"monit does not answer at {self._socket}: {error}"
            if time.monotonic() > self._deadline:
                raise DaemonError(f"after {self._options.timeout} s {said}")
            time.sleep(0.2)

    def _reload(self, changed: float) -> Status:
        # monit notes the second in which it read its configuration, without a fraction.
        time.sleep(max(0.0, math.floor(changed) + 1 - time.time()))
        self._command("reload")
        return self._wait(
            lambda answer: answer["incarnation"] > changed,
            lambda answer: "monit still runs with the previous configuration",
        )
