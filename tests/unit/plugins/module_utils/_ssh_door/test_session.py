# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connection a process runs in, and when that was opened."""

from __future__ import annotations

import os
import pwd

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._ssh_door import session as ssh_door_session

SSH = "192.0.2.7 51000 198.51.100.1 22"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def proc(tmp_path):
    """Return a function that makes a /proc of processes: number, parent, name, start, and SSH_CONNECTION or None."""

    def make(*processes):
        for pid, parent, name, start, connection in processes:
            folder = tmp_path / str(pid)
            folder.mkdir()
            fields = ["S", str(parent), *["0"] * 17, str(start), "0", "0", "0"]
            (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
            variables = ["PATH=/bin", *(["SSH_CONNECTION=" + connection] if connection else []), "LANG=C"]
            (folder / "environ").write_bytes("\0".join(variables).encode() + b"\0")
        return str(tmp_path)

    return make


def test_sudo_hides_the_connection_but_not_from_its_parents(proc):
    session = ssh_door_session.find(
        90,
        proc(
            (1, 0, "systemd", 1, None),
            (40, 1, "sshd", 10, None),
            (70, 40, "sshd-session", 700, None),
            (71, 70, "sshd-session", 720, None),
            (80, 71, "sh", 800, SSH),
            (85, 80, "sudo", 850, None),
            (90, 85, "python3", 900, None),
        ),
    )
    assert (session.connection, session.user, session.start) == (SSH, ME, 720)
    assert (session.address, session.server_address, session.server_port) == ("192.0.2.7", "198.51.100.1", "22")


def test_the_nearest_connection_counts_and_its_own_server(proc):
    """Ignore the connection in the environment of an sshd that was started by hand."""
    session = ssh_door_session.find(
        90,
        proc(
            (1, 0, "systemd", 1, None),
            (30, 1, "sshd", 10, "192.0.2.99 1 198.51.100.1 22"),
            (70, 30, "sshd", 700, "192.0.2.99 1 198.51.100.1 22"),
            (90, 70, "odd (name) 1", 900, SSH),
        ),
    )
    assert (session.connection, session.start) == (SSH, 700)


def test_without_ssh_there_is_no_session(proc):
    assert ssh_door_session.find(90, proc((1, 0, "systemd", 1, None), (90, 1, "python3", 900, None))) is None


def test_an_address_of_one_link_loses_the_name_of_the_interface(proc):
    session = ssh_door_session.find(
        9, proc((5, 1, "sshd", 5, None), (9, 5, "sh", 9, "fe80::1%eth0 51000 fe80::2%eth0 22"))
    )
    assert (session.address, session.server_address, session.server) == ("fe80::1", "fe80::2", "fe80::2%eth0")


@pytest.mark.parametrize(
    ("start", "connection", "new"),
    [
        (1000, SSH, False),  # multiplexed
        (1000, SSH.replace("51000", "51001"), False),  # another one that was there before
        (1500, SSH, False),
        (1500, SSH.replace("51000", "51001"), True),
    ],
)
def test_only_a_connection_that_began_after_the_change_is_new(start, connection, new):
    assert ssh_door_session.Session(connection, "root", start).is_new(SSH, 1200) is new


def test_the_present_moment_has_the_clock_of_processes():
    before = ssh_door_session.now()
    assert before <= ssh_door_session.now()
    assert ssh_door_session._stat("/proc", os.getpid())[2] <= before


def test_a_program_that_restarts_itself_is_noticed():
    own = ssh_door_session.program_of(os.getpid())
    assert own is not None
    assert ssh_door_session.program_of(os.getpid()) == own
    assert ssh_door_session.program_of(2**22 + 1) is None
    ssh_door_session.wait_for_new_program(os.getpid(), b"other", 0)
