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
    "used_percent": 40.0,
    "available_bytes": 100 * GIB,
    "inodes_used_percent": 10.0,
    "inodes_available": 50,
    "inodes_from_space": False,
}


def judged(**changes):
    found = Findings(thresholds.merge([]))
    disks.judge(found, {"filesystems": [{**DISK, **changes}]})
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
        ({"available_bytes": 0, "always_full": True}, None),
        ({"available_bytes": 0, "read_only": True}, None),
    ],
)
def test_a_full_file_system(changes, severity):
    assert judged(used_percent=97.0, **changes).get("disk_used_percent") == severity


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
        ({"read_only": True, "read_only_by_error": True}, {"disks_read_only": "critical"}),
        ({"read_only": True, "read_only_by_error": True, "mount": "/"}, {"root_read_only": "critical"}),
        ({"read_only": True}, {}),
        ({"read_only": True, "read_only_by_error": True, "always_full": True}, {}),
    ],
)
def test_what_is_broken(changes, expected):
    assert judged(**changes) == expected
