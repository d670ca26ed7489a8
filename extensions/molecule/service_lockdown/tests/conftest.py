# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box that was locked down, as systemd, the kernel and apt see it."""

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
# The same list that converge.yml has locked down.
PLAYED = yaml.safe_load((HERE.parent / "converge.yml").read_text())[1]["vars"]
SEED = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__service_lockdown_seed"]


@pytest.fixture
def lockdown(host):
    """Call with options of the module: its answer. Without any, those of the role's run."""

    def run(check=False, way=None, **options):
        options = options or {
            "stopped": [*SEED, *PLAYED["service_lockdown_stopped"]],
            "timeout": PLAYED["service_lockdown_timeout"],
        }
        answer = host.ansible("lifeline.fleet.service_lockdown", json.dumps(options), check=check, **(way or {}))
        # What Ansible writes down of a task that failed doesn't say so.
        return dict(answer, failed="units" not in answer)

    return run


@pytest.fixture
def refused(lockdown):
    """Call with options that the module must refuse: what it says."""

    def run(**options):
        answer = lockdown(**options)
        assert answer["failed"], answer
        return answer["msg"]

    return run


@pytest.fixture
def listeners(host):
    """Call with what is expected: the facts."""

    def run(*expected):
        answer = host.ansible("lifeline.fleet.listener_facts", json.dumps({"expected": expected}), check=False)
        return answer["ansible_facts"]["lifeline_listeners"]

    return run


@pytest.fixture
def health(host):
    """Call with what the inventory expects, and with other variables: what health says of each that is unexpected."""

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
    """Call with variables: whether the scenario's playbook succeeded on this box, and what it printed."""

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
    """Call with a unit: a property of it, as systemctl shows it."""

    def show(name, key="ActiveState"):
        return host.check_output(f"systemctl show --property {key} --value {name}")

    return show


@pytest.fixture
def reboot(host):
    """Call to have the box boot anew."""

    def again():
        name = host.ansible.get_variables()["lab_container"]
        # A connection that is kept open would wait for a box that never answers it again.
        subprocess.run(["podman", "exec", name, "pkill", "sshd"], check=True)
        subprocess.run(["podman", "restart", "--time", "5", name], check=True, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 180
        while not is_up(host):
            assert time.monotonic() < deadline, f"{name} does not come back"
            time.sleep(0.5)

    return again


def is_up(host):
    try:
        return host.run("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded")
    except RuntimeError:
        # Nobody answers yet.
        return False
