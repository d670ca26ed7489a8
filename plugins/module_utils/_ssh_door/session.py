# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the SSH connection that a process runs in: its addresses, its user and when it was opened."""

from __future__ import annotations

import os
import pwd
import time
from typing import Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat


class Session:
    """An SSH connection.

    `connection` is the value of SSH_CONNECTION. `start` is when its sshd process began, in ticks of /proc/PID/stat.
    """

    def __init__(self, connection: str, user: Optional[str], start: int) -> None:
        self.connection, self.user, self.start = connection, user, start
        self.client, self.client_port, self.server, self.server_port = connection.split()
        # A link-local address carries the name of the host's own interface.
        self.address = self.client.partition("%")[0]
        self.server_address = self.server.partition("%")[0]

    def is_new(self, connection: str, mark: int) -> bool:
        """Return whether it was opened after `mark` and is not `connection`.

        A multiplexed connection is as old as its first login.
        """
        return self.connection != connection and self.start > mark


def find(pid: int, proc: str = "/proc") -> Optional[Session]:
    """Return the session that a process runs in, or None.

    sudo removes SSH_CONNECTION from the environment of what it starts, but the shell that called sudo still has it.
    """
    connection = user = start = None
    while pid > 0:
        found = _stat(proc, pid)
        if found is None:
            break
        # The server's own process does not have the variable in its environment, and is as old as the connection.
        if connection is not None and found.name.startswith("sshd"):
            start = found.start_ticks
            break
        connection = connection or _connection(proc, pid)
        if connection is not None:
            # The outermost process belongs to the user that logged in; sudo in between belongs to root.
            user, start = _owner(proc, pid) or user, found.start_ticks
        pid = found.ppid
    return None if connection is None or start is None else Session(connection, user, start)


def now(proc: str = "/proc") -> int:
    """Return the present time in the ticks of /proc/PID/stat: the start of a new process, which has the same clock."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        found = _stat(proc, child)
        if found is None:
            raise OSError(f"{proc}/{child}/stat cannot be read")
        return found.start_ticks
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


def program_of(pid: int, proc: str = "/proc") -> Optional[Tuple[Optional[int], bytes]]:
    """Return the values that change when a process executes a program again; None if there is no such process."""
    try:
        with open(f"{proc}/{pid}/auxv", "rb") as stream:
            found = _stat(proc, pid)
            return None if found is None else found.start_ticks, stream.read()
    except OSError:
        return None


def wait_for_new_program(pid: int, before: Optional[Tuple[Optional[int], bytes]], seconds: float) -> None:
    """Wait at most `seconds` until a process has executed its program again or is gone."""
    deadline = time.monotonic() + seconds
    while program_of(pid) == before and time.monotonic() < deadline:
        time.sleep(0.02)


def _stat(proc: str, pid: int) -> Optional[stat.Stat]:
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="surrogateescape") as stream:
            return stat.parse(stream.read())
    except OSError:
        return None


def _connection(proc: str, pid: int) -> Optional[str]:
    """Return SSH_CONNECTION of a process, or None."""
    try:
        with open(f"{proc}/{pid}/environ", "rb") as stream:
            variables = stream.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return None
    for variable in variables:
        name, _equals, value = variable.partition("=")
        if name == "SSH_CONNECTION" and len(value.split()) == 4:
            return value
    return None


def _owner(proc: str, pid: int) -> Optional[str]:
    """Return the name of the user that a process belongs to, or None."""
    try:
        return pwd.getpwuid(os.stat(f"{proc}/{pid}").st_uid).pw_name
    except (OSError, KeyError):
        return None
