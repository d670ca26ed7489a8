# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All boxes at once: what takes half a minute on one takes no longer on four."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import time

import pytest

SCENARIO = pathlib.Path(__file__).resolve().parents[1]
INVENTORY = SCENARIO.parents[2] / "inventories" / "lab"


class Box:
    def __init__(self, name, variables):
        self.name, self.variables = name, variables
        self.several = variables["lab_suite"] in ("bookworm", "forky")

    def run(self, command):
        """A command's output; it must succeed."""
        done = self.attempt(command)
        assert done.returncode == 0, (self.name, command, done.stdout + done.stderr)
        return done.stdout.strip()

    def attempt(self, command):
        argv = ["ssh", *shlex.split(self.variables["ansible_ssh_common_args"]), "-o", "ControlMaster=auto", "-o", "ControlPersist=60s",
                "-o", "ControlPath=%s/%%C" % self.variables["ansible_control_path_dir"], "root@" + self.variables["ansible_host"], command]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def wait(self, command, seconds=60, wanted=lambda output: True):
        """The output of a command as soon as it succeeds with what is wanted."""
        deadline = time.monotonic() + seconds
        while True:
            done = self.attempt(command)
            if done.returncode == 0 and wanted(done.stdout.strip()):
                return done.stdout.strip()
            assert time.monotonic() < deadline, (self.name, command, done.stdout[-1000:] + done.stderr[-1000:])
            time.sleep(0.5)

    # What the tests ask again and again.

    def show(self, key, unit="sidekiq"):
        return self.run("systemctl show --value -p %s %s.service" % (key, unit))

    def pid(self, unit="sidekiq"):
        return int(self.show("MainPID", unit))

    def noted(self, key, worker="sidekiq"):
        lines = dict(line.split(" ", 1) for line in self.run("sidekiq-watchdog status " + worker).splitlines())
        return lines.get(key)

    def restarts(self, worker="sidekiq"):
        return int(self.noted("restarts", worker) or 0)

    def redis(self, *words):
        return self.run("redis-cli --raw " + " ".join(words))

    def feed(self, *words):
        self.run("cd /srv/app/current && runuser -u app -- ruby feed.rb " + " ".join(map(str, words)))

    def watched(self, worker="sidekiq", yes=True):
        """Wait until monit watches the worker, or doesn't: it does what it is told at its next look."""
        status = r"monitoring status +%s$" % ("Monitored" if yes else "Not monitored")
        self.wait("monit -B status " + worker, wanted=lambda output: re.search(status, output, re.MULTILINE))

    def health(self):
        done = subprocess.run(
            ["ansible", self.name, "-i", str(INVENTORY), "-m", "lifeline.fleet.health", "-e", "@" + str(self.vars_file())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
            env={**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "false", "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "1"})
        return json.JSONDecoder().raw_decode(done.stdout.partition(" => ")[2])[0]

    def vars_file(self):
        return SCENARIO / "vars" / ("several.yml" if self.several else "seed.yml")


class Boxes(list):
    def each(self, function):
        """What a function makes of each box, all at the same time."""
        with concurrent.futures.ThreadPoolExecutor(len(self)) as pool:
            return list(pool.map(function, self))

    @property
    def several(self):
        """Those that have a second worker."""
        return Boxes(box for box in self if box.several)


@pytest.fixture(scope="session")
def boxes():
    listed = json.loads(subprocess.run(["ansible-inventory", "-i", str(INVENTORY), "--list"], stdout=subprocess.PIPE, check=True).stdout)
    variables = listed["_meta"]["hostvars"]
    found = Boxes(Box(name, variables[name]) for name in sorted(variables) if name.startswith("watchdog-"))
    assert found
    return found


@pytest.fixture
def converge():
    """Run the scenario's playbook once more, on some of the boxes and with other variables."""
    def run(*names, **variables):
        done = subprocess.run(
            ["ansible-playbook", "-i", str(INVENTORY), str(SCENARIO / "converge.yml"), "-l", ",".join(names) + ",localhost",
             "-e", json.dumps(variables)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
                 "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "false"})
        return done.returncode, done.stdout
    return run


@pytest.fixture
def environment(boxes):
    """Give the workers environment variables of a test's own, and take them back."""
    def give(box, **variables):
        lines = "\\n".join("Environment=%s=%s" % item for item in variables.items())
        box.run("mkdir -p /run/systemd/system/sidekiq.service.d && printf '[Service]\\n%s\\n' "
                "> /run/systemd/system/sidekiq.service.d/test.conf && systemctl daemon-reload" % lines)

    def take(box):
        box.run("rm -rf /run/systemd/system/sidekiq.service.d && systemctl daemon-reload")
        box.run("systemctl reset-failed sidekiq; systemctl restart sidekiq && sidekiq-watchdog resume sidekiq")

    yield give
    boxes.each(take)
