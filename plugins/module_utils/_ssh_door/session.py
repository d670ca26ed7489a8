# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH connection that a process came through: from where, as whom, and since when."""

from __future__ import annotations

import os
import pwd
import time

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat


class Session:
    """A connection. C(start) is when its sshd process began, in the clock ticks of /proc/PID/stat."""

    def __init__(self, connection, user, start):
        self.connection, self.user, self.start = connection, user, start
        self.client, self.client_port, self.server, self.server_port = connection.split()
        # A link-local address carries the name of the box's own interface.
        self.address = self.client.partition("%")[0]
        self.server_address = self.server.partition("%")[0]

    def is_new(self, connection, mark):
        """Whether it was opened after V(mark), and is none that is known. A multiplexed one is as old as its first login."""
        return self.connection != connection and self.start > mark


def find(pid, proc="/proc"):
    """The session that process V(pid) runs in, or None. sudo takes SSH_CONNECTION away, but not from the shell it was called in."""
    connection = user = start = None
    while pid > 0:
        found = _stat(proc, pid)
        if found is None:
            break
        name, parent, began = found
        # The server's own process doesn't have the variable in its environment, and is as old as the connection.
        if connection is not None and name.startswith("sshd"):
            start = began
            break
        connection = connection or _connection(proc, pid)
        if connection is not None:
            # The outermost process is the user's who logged in; sudo in between is root's.
            user, start = _owner(proc, pid) or user, began
        pid = parent
    return None if connection is None else Session(connection, user, start)


def now(proc="/proc"):
    """The present moment in the ticks of /proc/PID/stat, whatever clock the box's /proc shows: when a new process begins."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        return _stat(proc, child)[2]
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


def program_of(pid, proc="/proc"):
    """What changes when process V(pid) runs a program anew under its old number; None where there is no such process."""
    try:
        with open(f"{proc}/{pid}/auxv", "rb") as stream:
            return (_stat(proc, pid) or (None,) * 3)[2], stream.read()
    except OSError:
        return None


def wait_for_new_program(pid, before, seconds):
    """Wait until process V(pid) has run its program anew, or is gone."""
    deadline = time.monotonic() + seconds
    while program_of(pid) == before and time.monotonic() < deadline:
        time.sleep(0.02)


def _stat(proc, pid):
    """Name, parent and start of a process."""
    try:
        with open(f"{proc}/{pid}/stat", encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except OSError:
        return None
    found = stat.parse(text)
    return None if found is None else (found.name, found.ppid, found.start_ticks)


def _connection(proc, pid):
    """SSH_CONNECTION of a process, or None."""
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


def _owner(proc, pid):
    """The user that a process belongs to."""
    try:
        number = os.stat(f"{proc}/{pid}").st_uid
        return pwd.getpwuid(number).pw_name
    except (OSError, KeyError):
        return None
