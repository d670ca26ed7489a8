# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide a locked-down box and the tests' queries to systemd, the kernel and apt."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time

import pytest
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROLE = HERE.parents[3] / "roles" / "service_lockdown"
# The same list as in converge.yml.
PLAYED = yaml.safe_load((HERE.parent / "converge.yml").read_text())[1]["vars"]
SEED = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__service_lockdown_seed"]


@pytest.fixture
def lockdown(host):
    """Return a function that runs the module, by default with the options of the role, and returns its result."""

    def run(check=False, way=None, **options):
        options = options or {
            "stopped": [*SEED, *PLAYED["service_lockdown_stopped"]],
            "timeout": PLAYED["service_lockdown_timeout"],
        }
        answer = host.ansible("lifeline.fleet.service_lockdown", json.dumps(options), check=check, **(way or {}))
        # Ansible's record of a failed task doesn't contain `failed`.
        return dict(answer, failed="units" not in answer)

    return run


@pytest.fixture
def refused(lockdown):
    """Return a function that runs the module with options that must fail, and returns the message."""

    def run(**options):
        answer = lockdown(**options)
        assert answer["failed"], answer
        return answer["msg"]

    return run


@pytest.fixture
def listeners(host):
    """Return a function that returns the facts about listeners for the expected services."""

    def run(*expected):
        answer = host.ansible("lifeline.fleet.listener_facts", json.dumps({"expected": expected}), check=False)
        return answer["ansible_facts"]["lifeline_listeners"]

    return run


@pytest.fixture
def health(host):
    """Return a function that returns the messages of health about unexpected services."""

    def run(expected, **variables):
        answer = host.ansible(
            "lifeline.fleet.health", None, check=False, extra_vars={"service_lockdown_expected": expected, **variables}
        )
        return {
            finding["subject"]: finding["message"]
            for finding in answer["findings"]
            if finding["check"] == "services_unexpected"
        }

    return run


@pytest.fixture
def converge(host, request):
    """Return a function that plays the scenario's playbook on this box and returns its success and its output."""

    def run(**variables):
        done = subprocess.run(
            [
                "ansible-playbook",
                "-i",
                request.config.getoption("ansible_inventory"),
                str(HERE.parent / "converge.yml"),
                "-l",
                host.ansible.get_variables()["inventory_hostname"] + ",localhost",
                "-e",
                json.dumps(variables),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        return done.returncode == 0, " ".join(done.stdout.split())

    return run


@pytest.fixture
def unit(host):
    """Return a function that returns a property of a unit from systemctl."""

    def show(name, key="ActiveState"):
        return host.check_output(f"systemctl show --property {key} --value {name}")

    return show


@pytest.fixture
def reboot(host):
    """Return a function that reboots the box."""

    def again():
        name = host.ansible.get_variables()["lab_container"]
        # A persistent connection would wait forever for the rebooted box.
        subprocess.run(["podman", "exec", name, "pkill", "sshd"], check=True)
        subprocess.run(["podman", "restart", "--time", "5", name], check=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 600
        while not is_up(host):
            assert time.monotonic() < deadline, f"{name} does not come back"
            time.sleep(0.5)

    return again


def is_up(host):
    try:
        return host.run("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded")
    except RuntimeError:
        # The box doesn't answer yet.
        return False
