# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the tests of a scenario its hosts, and let them act on all hosts at the same time."""

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

import pytest

INVENTORY = pathlib.Path(__file__).resolve().parents[2] / "inventories" / "lab"
# Seconds until a wait has failed. What an idle machine does in two seconds may take a busy one a minute.
PATIENCE = 300
PLAIN = {
    "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "false",
}


def _drop_ins(unit):
    return f"/run/systemd/system/{unit}.d"


class Box:
    """A host of the lab, which the tests reach over SSH as Ansible does."""

    def __init__(self, name, variables):
        self.name, self.variables = name, variables
        self.suite = variables["lab_suite"]

    def run(self, command):
        """Return the output of a command, which must succeed."""
        done = self.attempt(command)
        assert done.returncode == 0, (self.name, command, done.stdout + done.stderr)
        return done.stdout.strip()

    def attempt(self, command):
        """Run a command as root and return the completed process."""
        argv = [
            "ssh",
            *shlex.split(self.variables["ansible_ssh_common_args"]),
            "-o",
            "ConnectTimeout=60",
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

    def wait(self, command, wanted=lambda output: True):
        """Return the output of a command as soon as it succeeds with the wanted output."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = self.attempt(command)
            if done.returncode == 0 and wanted(done.stdout.strip()):
                return done.stdout.strip()
            assert time.monotonic() < deadline, (self.name, command, done.stdout[-1000:] + done.stderr[-1000:])
            time.sleep(0.5)

    def module(self, name, arguments=None, variables=None):
        """Return a module's result, failed or not."""
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
        """Add lines to a unit's [Service] section; systemd has read them when this returns."""
        text = " ".join(map(shlex.quote, ("[Service]", *lines)))
        self.run(
            f"mkdir -p {_drop_ins(unit)} && printf '%s\\n' {text} > {_drop_ins(unit)}/test.conf && "
            "systemctl daemon-reload"
        )

    def remove_drop_in(self, unit):
        """Remove the lines that `drop_in` added."""
        self.run(f"rm -rf {_drop_ins(unit)} && systemctl daemon-reload")

    def reboot(self):
        """Restart the host's container."""
        subprocess.run(
            ["podman", "restart", "--time", "5", self.variables["lab_container"]], check=True, stdout=subprocess.DEVNULL
        )


class Boxes(list):
    """Several hosts."""

    def each(self, function):
        """Call a function with each host, at the same time, and return the results in the hosts' order."""
        if not self:
            pytest.skip("no host that runs is of a release that this test is about")
        with concurrent.futures.ThreadPoolExecutor(len(self)) as pool:
            return list(pool.map(function, self))


def of_set(name, kind=Box):
    """Return the hosts of a set of the lab, which must be up."""
    listed = subprocess.run(
        ["ansible-inventory", "-i", str(INVENTORY), "--list", "--limit", name], stdout=subprocess.PIPE, check=True
    )
    found = Boxes(kind(*box) for box in sorted(json.loads(listed.stdout)["_meta"]["hostvars"].items()))
    assert found, f"the lab's set {name} is not up"
    return found


def play(playbook, names, variables, *options):
    """Play a playbook on some hosts with extra variables; return whether it succeeded, and its output."""
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
    """Yield a function that plays a playbook on hosts with variables; return whether it succeeded, and its output.

    In the end the playbook is played once more on these hosts, without the variables.
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
    """Kill a process and its group, as a crash does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
