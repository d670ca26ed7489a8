# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's boxes as a test of a scenario sees them, all at once: what takes half a minute on one takes no longer on four."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
import time

INVENTORY = pathlib.Path(__file__).resolve().parents[2] / "inventories" / "lab"
PLAIN = {
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "false",
}


def _drop_ins(unit):
    return f"/run/systemd/system/{unit}.d"


class Box:
    """A box that is reached as Ansible reaches it, over SSH."""

    def __init__(self, name, variables):
        self.name, self.variables = name, variables
        self.suite = variables["lab_suite"]

    def run(self, command):
        """A command's output; it must succeed."""
        done = self.attempt(command)
        assert done.returncode == 0, (self.name, command, done.stdout + done.stderr)
        return done.stdout.strip()

    def attempt(self, command):
        argv = [
            "ssh",
            *shlex.split(self.variables["ansible_ssh_common_args"]),
            "-o",
            "ConnectTimeout=5",
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=60s",
            "-o",
            f"ControlPath={self.variables['ansible_control_path_dir']}/%C",
            "root@" + self.variables["ansible_host"],
            command,
        ]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
        )

    def wait(self, command, seconds=60, wanted=lambda output: True):
        """The output of a command as soon as it succeeds with what is wanted."""
        deadline = time.monotonic() + seconds
        while True:
            done = self.attempt(command)
            if done.returncode == 0 and wanted(done.stdout.strip()):
                return done.stdout.strip()
            assert time.monotonic() < deadline, (self.name, command, done.stdout[-1000:] + done.stderr[-1000:])
            time.sleep(0.5)

    def module(self, name, arguments=None, variables=None):
        """A module's answer, failed or not."""
        argv = [
            "ansible",
            self.name,
            "-i",
            str(INVENTORY),
            "-m",
            "lifeline.fleet." + name,
            "-e",
            json.dumps(variables or {}),
        ]
        if arguments:
            argv += ["-a", json.dumps(arguments)]
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, **PLAIN, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "false"},
        )
        assert " => " in done.stdout, done.stdout
        return json.JSONDecoder().raw_decode(done.stdout.partition(" => ")[2])[0]

    def drop_in(self, unit, *lines):
        """Give a unit's service lines of a test's own; systemd has read them when this returns."""
        text = " ".join(map(shlex.quote, ("[Service]", *lines)))
        self.run(
            f"mkdir -p {_drop_ins(unit)} && printf '%s\\n' {text} > {_drop_ins(unit)}/test.conf && systemctl daemon-reload"
        )

    def remove_drop_in(self, unit):
        self.run(f"rm -rf {_drop_ins(unit)} && systemctl daemon-reload")

    def reboot(self):
        subprocess.run(
            ["podman", "restart", "--time", "5", self.variables["lab_container"]], check=True, stdout=subprocess.DEVNULL
        )


class Boxes(list):
    """Several boxes."""

    def each(self, function):
        """What a function makes of each box, all at the same time."""
        with concurrent.futures.ThreadPoolExecutor(len(self)) as pool:
            return list(pool.map(function, self))


def of_set(name, kind=Box):
    """The boxes of a set of the lab, which must be up."""
    listed = subprocess.run(
        ["ansible-inventory", "-i", str(INVENTORY), "--list", "--limit", name], stdout=subprocess.PIPE, check=True
    )
    found = Boxes(kind(*box) for box in sorted(json.loads(listed.stdout)["_meta"]["hostvars"].items()))
    assert found, f"the lab's set {name} is not up"
    return found


def play(playbook, names, variables, *options):
    """Whether a playbook succeeded on some of the boxes and with other variables, and what it printed."""
    argv = [
        "ansible-playbook",
        "-i",
        str(INVENTORY),
        str(playbook),
        "-l",
        ",".join([*names, "localhost"]),
        "-e",
        json.dumps(variables),
    ]
    done = subprocess.run(
        [*argv, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **PLAIN},
    )
    return done.returncode == 0, done.stdout


def converging(playbook):
    """What a fixture yields that tests call with boxes and variables: whether a playbook succeeded on them, and what it printed.

    In the end it is played once more on these boxes, without the tests' variables.
    """
    touched = []

    def run(*boxes, **variables):
        touched.extend(boxes)
        return play(playbook, [box.name for box in boxes], variables)

    yield run
    if touched:
        done, output = play(playbook, sorted({box.name for box in touched}), {})
        assert done, output


def kill(process):
    """As a crash does: nothing of it has a last word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
