# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances EC2 may be told to reboot. The statuses are as DescribeInstanceStatus returns them."""

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


def test_one_that_runs_and_passes_is_ready():
    assert ec2_reboot.judge(ID, status()) == {
        "ready": True,
        "state": "running",
        "checks": {"system": "ok", "instance": "ok"},
        "msg": ID + " runs, and passes its status checks",
    }


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], "EC2 knows no instance %s in this region"),
        (status("stopped", "not-applicable", "not-applicable"), "%s doesn't run: it is stopped"),
        (status(system="impaired"), "%s doesn't pass its status checks (system: impaired)"),
        (status(instance="initializing"), "%s doesn't pass its status checks (instance: initializing)"),
        (
            [{"InstanceState": {"Name": "running"}}],
            "%s doesn't pass its status checks (instance: unknown, system: unknown)",
        ),
    ],
)
def test_all_others_are_left(statuses, said):
    found = ec2_reboot.judge(ID, statuses)
    assert found["ready"] is False and found["msg"] == said % ID
