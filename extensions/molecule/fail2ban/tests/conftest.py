# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the boxes with fail2ban, each of which can attack the next, and the tests' queries."""

from __future__ import annotations

import pathlib
import shlex
import subprocess

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
# Without a terminal, ssh reads the password from this program. The password is wrong.
LOGIN = (
    "SSH_ASKPASS=/bin/echo SSH_ASKPASS_REQUIRE=force timeout 10 setsid ssh -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -o NumberOfPasswordPrompts=1 "
    "-o PreferredAuthentications=password -o PubkeyAuthentication=no %s@%s true"
)


class Guarded(lab.Box):
    @property
    def address(self):
        return self.variables["ansible_host"]

    @property
    def alternative(self):
        return self.suite in ("bookworm", "forky")

    @property
    def maxretry(self):
        return 3 if self.alternative else 5

    def inside(self, command):
        """Run a command in the container without SSH and return the completed process."""
        return subprocess.run(
            ["podman", "exec", self.variables["lab_container"], "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def fails_to_log_in(self, box, times, user="root"):
        """Try to log in to another box with a wrong password, this many times."""
        for _time in range(times):
            done = self.inside(LOGIN % (user, box.address))
            # The ban drops the packets of the connection that caused it, so ssh may time out.
            assert done.returncode in (255, 124), done.stdout

    def is_failed_at_from_here(self, times):
        """Try to log in to this box from the controller with a wrong password, this many times."""
        for _time in range(times):
            done = subprocess.run(
                ["sh", "-c", LOGIN % ("root", self.address)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert done.returncode == 255, done.stdout

    def reaches(self, box, port=22):
        """Return whether a TCP connection to another box succeeds."""
        return (
            self.inside(
                f"python3 -c 'import socket; socket.create_connection((\"{box.address}\", {port}), 3)'"
            ).returncode
            == 0
        )

    def get(self, what, jail="sshd"):
        return self.run(f"fail2ban-client get {jail} {what}")

    def banned(self, jail="sshd"):
        return self.get("banip", jail).split()

    def bans(self, address, jail="sshd"):
        """Wait until a jail bans an address and nftables has a rule for it."""
        self.wait(f"fail2ban-client get {jail} banip", wanted=lambda banned: address in banned.split())
        self.wait("nft list table inet f2b-table", wanted=lambda rules: address in rules)

    def pid(self):
        return self.run("systemctl show --value -p MainPID fail2ban.service")

    def ignored(self, jail="sshd"):
        return self.run(f"fail2ban-client get {jail} ignoreip").replace("|-", " ").replace("`-", " ").split()

    def controller(self):
        """Return the controller's address as the box sees it."""
        return self.run("echo ${SSH_CONNECTION%% *}")

    def comes_in_anew(self):
        """Open a new connection, without a shared one. Since 9.8, sshd itself delays clients that have failed."""
        argv = [
            "ssh",
            *shlex.split(self.variables["ansible_ssh_common_args"]),
            "-o",
            "ControlPath=none",
            "-o",
            "ConnectTimeout=5",
            "root@" + self.address,
            "true",
        ]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )


@pytest.fixture(scope="session")
def boxes():
    return lab.of_set("fail2ban", Guarded)


@pytest.fixture(scope="session")
def attacker(boxes):
    """Return the attacker of each box, by the box's name."""
    return {box.name: boxes[number - 1] for number, box in enumerate(boxes)}


@pytest.fixture
def converge(boxes):
    """Return a function that plays the scenario's playbook and returns whether it succeeded and its output."""

    def run(*some, **variables):
        succeeded, said = lab.play(SCENARIO / "converge.yml", [box.name for box in some or boxes], variables)
        return succeeded, " ".join(said.replace('\\"', '"').split())

    return run


@pytest.fixture(autouse=True)
def settled(boxes):
    """Lift all bans and forget all failed logins before each test."""

    def forget(box):
        box.run(
            f"fail2ban-client unban --all && for jail in sshd {'crawler' if box.alternative else ''}; "
            "do fail2ban-client reload --restart --unban $jail; done"
        )
        # Remove the journal entries of earlier tests.
        box.run("journalctl --rotate --vacuum-time=1s --quiet")

    boxes.each(forget)


@pytest.fixture
def back(converge):
    """Play the scenario's playbook again after the test."""
    yield
    succeeded, said = converge()
    assert succeeded, said
