# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems: full, broken, read-only and silent."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import disks, thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings

GIB = 1 << 30
DISK = {
    "mount": "/data",
    "type": "ext4",
    "kind": "local",
    "hung": False,
    "failed": False,
    "read_only": False,
    "read_only_by_error": False,
    "always_full": False,
    "size_bytes": 200 * GIB,
    "used_bytes": 80 * GIB,
    "used_percent": 40.0,
    "available_bytes": 100 * GIB,
    "inodes_used_percent": 10.0,
    "inodes_available": 50,
    "inodes_from_space": False,
}


def judged(**changes):
    found = Findings(thresholds.merge([]))
    disks.judge(found, {"filesystems": [{**DISK, **changes}]}, {})
    return {finding.check: finding.severity for finding in found.found}


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"available_bytes": 2 * GIB}, "critical"),
        ({"available_bytes": 50 * GIB}, "warning"),
        ({"available_bytes": 800 * GIB}, None),
        ({"available_bytes": GIB, "mount": "/boot"}, "warning"),
        ({"available_bytes": GIB, "mount": "/boot/efi"}, None),
        ({"available_bytes": GIB, "kind": "network"}, "warning"),
        ({"available_bytes": 0, "mount": "/mnt/backup"}, "warning"),
        ({"available_bytes": 0, "mount": "/dev/shm"}, "warning"),
        ({"available_bytes": 0, "mount": "/run/user/1000"}, "warning"),
        ({"available_bytes": 0, "always_full": True}, None),
        ({"available_bytes": 0, "read_only": True}, None),
    ],
)
def test_a_full_file_system(changes, severity):
    assert judged(used_percent=97.0, **changes).get("disk_used_percent") == severity


def test_the_same_space_is_one_finding():
    shares = [
        {**DISK, "mount": mount, "kind": "network", "type": "9p", "used_percent": 99.0, "available_bytes": GIB}
        for mount in ("/mnt/c", "/mnt/host/c")
    ]
    found = Findings(thresholds.merge([]))
    disks.judge(found, {"filesystems": shares}, {})
    assert [finding.subject for finding in found.found] == ["/mnt/c"]


def test_inodes_that_are_made_of_space_run_out_with_it():
    full = {"used_percent": 99.0, "available_bytes": GIB, "inodes_used_percent": 99.0}
    assert list(judged(**full)) == ["disk_used_percent", "inodes_used_percent"]
    assert list(judged(**full, type="nfs4", kind="network")) == ["disk_used_percent"]


def test_errors_that_ext4_has_met():
    found = Findings(thresholds.merge([]))
    disks.judge(found, {"filesystems": []}, {"vda1": 3})
    assert [(one.check, one.severity, one.subject) for one in found.found] == [("disk_errors", "warning", "vda1")]


@pytest.mark.parametrize(
    ("changes", "severity"),
    [({}, "critical"), ({"inodes_available": 20_000_000}, None), ({"inodes_from_space": True}, None)],
)
def test_inodes(changes, severity):
    assert judged(inodes_used_percent=99.0, **changes).get("inodes_used_percent") == severity


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hung": True}, {"disks_hung": "warning"}),
        ({"hung": True, "mount": "/home"}, {"disks_hung": "warning", "login_disks_hung": "critical"}),
        ({"failed": True}, {"disks_failed": "warning"}),
        ({"failed": True, "mount": "/var"}, {"disks_failed": "warning", "login_disks_hung": "critical"}),
        ({"read_only": True, "read_only_by_error": True, "mount": "/boot/efi"}, {"disks_read_only": "warning"}),
        ({"read_only": True, "read_only_by_error": True}, {"disks_read_only": "critical"}),
        ({"read_only": True, "read_only_by_error": True, "mount": "/"}, {"root_read_only": "critical"}),
        ({"read_only": True}, {}),
        ({"read_only": True, "read_only_by_error": True, "always_full": True}, {}),
    ],
)
def test_what_is_broken(changes, expected):
    assert judged(**changes) == expected
