# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the boxes with restricted SSH, and the tests' queries and faults."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import time

import boxes as lab
import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
STATE = "/etc/lifeline/ssh_door"
# The state that a restore brings back.
RULES = (
    f"nft -s -n list table inet lifeline; cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*; cat {STATE}/firewall.nft; "
    f"ls -A /etc/ssh/sshd_config.d; ls -A {STATE} | grep -v restored"
)
# Drop new connections to the box, except for its own.
CUT = (
    "table inet test { chain c { type filter hook input priority -300; "
    "iifname != lo tcp dport 22 tcp flags & (syn | ack) == syn drop; }; }"
)


class DoorBox(lab.Box):
    state = STATE

    @property
    def address(self):
        return self.variables["ansible_host"]

    def inside(self, command):
        """Run a command in the container without SSH and return its output."""
        done = subprocess.run(
            ["podman", "exec", self.variables["lab_container"], "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (self.name, command, done.stdout + done.stderr)
        return done.stdout.strip()

    def anew(self, user="root", command="true", options=()):
        """Open a new connection, without a shared one, and return the completed process."""
        argv = [
            "ssh",
            *shlex.split(self.variables["ansible_ssh_common_args"]),
            "-o",
            "ControlPath=none",
            "-o",
            "ConnectTimeout=5",
            *options,
            f"{user}@{self.address}",
            command,
        ]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
        )

    def lets_in(self, **options):
        done = self.anew(**options)
        assert done.returncode == 0, (self.name, done.stderr)

    def rules(self):
        return self.inside(RULES)

    def armed(self):
        return (
            subprocess.run(
                ["podman", "exec", self.variables["lab_container"], "test", "-e", STATE + "/armed/connection"],
                check=False,
            ).returncode
            == 0
        )

    def until(self, condition):
        """Wait until a condition holds."""
        deadline = time.monotonic() + lab.PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.name
            time.sleep(0.1)

    def sshd(self, keyword, address="192.0.2.1"):
        out = self.inside(f"mkdir -p /run/sshd; sshd -T -C user=root,host=x,addr={address},laddr=192.0.2.2,lport=22")
        return [line.partition(" ")[2] for line in out.splitlines() if line.lower().startswith(keyword.lower() + " ")]

    def reaches(self, address, port=22):
        """Return whether a TCP connection from this box, which is not in the list, succeeds."""
        answer = self.inside(
            "python3 -c 'import socket, sys\n"
            "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); print(1)\n"
            f"except OSError: print(0)' {address} {port}"
        )
        return answer == "1"


def arguments(names, variables):
    return [
        "ansible-playbook",
        "-i",
        str(lab.INVENTORY),
        str(SCENARIO / "converge.yml"),
        "-l",
        ",".join(names) + ",localhost",
        "-e",
        json.dumps(variables),
    ]


@pytest.fixture(scope="session")
def boxes():
    """Return the boxes, those first that Ansible enters as root: settings that lock out root are tried on the first."""
    found = lab.of_set("ssh_lifeline", DoorBox)
    return lab.Boxes(sorted(found, key=lambda box: box.variables["ansible_user"] != "root"))


@pytest.fixture(autouse=True)
def settled(boxes):
    """Check after each test that the boxes are unchanged and their operator can connect."""
    before = boxes.each(DoorBox.rules)
    yield
    for box, rules in zip(boxes, before):
        box.lets_in()
        assert box.rules() == rules


@pytest.fixture
def touched():
    """Return the boxes that a test plays the playbook on."""
    return {}


@pytest.fixture
def converge(boxes, touched):
    """Return a function that plays the scenario's playbook and returns whether it succeeded and its output."""

    def run(*some, **variables):
        touched.update((box.name, box) for box in some or boxes)
        return lab.play(SCENARIO / "converge.yml", [box.name for box in some or boxes], variables)

    return run


@pytest.fixture
def back(converge, touched):
    """Play the scenario's playbook again on the changed boxes after the test."""
    yield
    succeeded, said = converge(*touched.values())
    assert succeeded, said


@pytest.fixture
def start(touched):
    """Return a function that starts the playbook on a box and doesn't wait for it."""
    runs = []

    def run(box, **variables):
        touched[box.name] = box
        runs.append(
            subprocess.Popen(
                arguments([box.name], variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **lab.PLAIN},
                start_new_session=True,
            )
        )
        return runs[-1]

    yield run
    for process in runs:
        lab.kill(process)


@pytest.fixture
def cut(boxes):
    """Return a function that blocks new connections to a box until the test ends or calls the returned function."""
    done = []

    def run(box):
        subprocess.run(
            ["ansible", box.name, "-i", str(lab.INVENTORY), "-m", "ansible.builtin.ping"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        box.inside(f"nft '{CUT}'")
        done.append(box)
        return lambda: (box.inside("nft delete table inet test"), done.remove(box))

    yield run
    for box in done:
        box.inside("nft delete table inet test")
