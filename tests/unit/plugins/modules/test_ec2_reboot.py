# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of instances to reboot, from answers of DescribeInstanceStatus."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.modules import ec2_reboot

ID = "i-0123456789abcdef0"


def status(state="running", system="ok", instance="ok"):
    return [
        {
            "InstanceId": ID,
            "InstanceState": {"Name": state},
            "SystemStatus": {"Status": system},
            "InstanceStatus": {"Status": instance},
        }
    ]


def test_a_running_instance_whose_checks_pass_is_ready():
    assert ec2_reboot.judge(ID, status()) == {
        "ready": True,
        "state": "running",
        "checks": {"system": "ok", "instance": "ok"},
        "msg": ID + ": running, and its status checks pass",
    }


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], "%s: no such instance in this region"),
        (status("stopped", "not-applicable", "not-applicable"), "%s: not running (stopped)"),
        (status(system="impaired"), "%s: status checks fail (system: impaired)"),
        (status(instance="initializing"), "%s: status checks fail (instance: initializing)"),
        (
            [{"InstanceState": {"Name": "running"}}],
            "%s: status checks fail (instance: unknown, system: unknown)",
        ),
    ],
)
def test_all_others_are_left_alone(statuses, said):
    found = ec2_reboot.judge(ID, statuses)
    assert found["ready"] is False and found["msg"] == said % ID
