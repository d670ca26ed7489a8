# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes with fail2ban, each of which can attack the next, and what the tests ask them."""

from __future__ import annotations

import pathlib
import shlex
import subprocess

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
# Who has no terminal gets the password from this program, and it is wrong.
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
        """What came of a command, without SSH: what an operator has only at the console."""
        return subprocess.run(
            ["podman", "exec", self.variables["lab_container"], "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def fails_to_log_in(self, box, times, user="root"):
        """Try as often to log in to another box with a wrong password."""
        for _time in range(times):
            done = self.inside(LOGIN % (user, box.address))
            # A ban freezes the connection whose failure led to it.
            assert done.returncode in (255, 124), done.stdout

    def is_failed_at_from_here(self, times):
        """The same, by this controller."""
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
        """Whether a TCP connection to another box comes through."""
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
        """Wait until a jail has banned an address, and nftables with it."""
        self.wait(f"fail2ban-client get {jail} banip", wanted=lambda banned: address in banned.split())
        self.wait("nft list table inet f2b-table", wanted=lambda rules: address in rules)

    def pid(self):
        return self.run("systemctl show --value -p MainPID fail2ban.service")

    def ignored(self, jail="sshd"):
        return self.run(f"fail2ban-client get {jail} ignoreip").replace("|-", " ").replace("`-", " ").split()

    def controller(self):
        """This machine's address as the box sees it."""
        return self.run("echo ${SSH_CONNECTION%% *}")

    def comes_in_anew(self):
        """A connection that no other has a part in. sshd itself lets whoever failed wait, from 9.8 on."""
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
    """Each box's neighbour, which means it no good."""
    return {box.name: boxes[number - 1] for number, box in enumerate(boxes)}


@pytest.fixture
def converge(boxes):
    """Call with boxes and variables: whether the scenario's playbook succeeded on them, and what it printed."""

    def run(*some, **variables):
        succeeded, said = lab.play(SCENARIO / "converge.yml", [box.name for box in some or boxes], variables)
        return succeeded, " ".join(said.replace('\\"', '"').split())

    return run


@pytest.fixture(autouse=True)
def settled(boxes):
    """Each test begins where nobody is banned, and none has failed before."""

    def forget(box):
        box.run(
            f"fail2ban-client unban --all && for jail in sshd {'crawler' if box.alternative else ''}; do fail2ban-client reload --restart --unban $jail; done"
        )
        # What the journal has of earlier tests is none of this one's business.
        box.run("journalctl --rotate --vacuum-time=1s --quiet")

    boxes.each(forget)


@pytest.fixture
def back(converge):
    """Have everything as the scenario's playbook has it when the test ends."""
    yield
    succeeded, said = converge()
    assert succeeded, said
