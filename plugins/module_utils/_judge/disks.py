# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the file systems of a host: space, inodes, and those that answer with errors or not at all."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Disks, FileSystem
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text

_MIB = 1 << 20
# Each login reads from these, so it hangs or fails if one of them does.
_LOGINS_NEED = ("/", "/etc", "/home", "/root", "/usr", "/var", "/var/log", "/run")
# Firmware reads it, its vendor filled it, and nothing on a running host writes there.
_FIRMWARE = ("/boot/efi", "/efi", "/boot/firmware")


def judge(found: Findings, disks: Disks) -> None:
    for disk in disks["filesystems"]:
        mount = disk["mount"]
        if disk["hung"]:
            _hung(found, disk)
        elif disk["failed"]:
            _failed(found, disk)
        if disk["read_only_by_error"] and not disk["always_full"]:
            _read_only(found, mount)
        if not (disk["always_full"] or disk["read_only"] or mount in _FIRMWARE):
            _full(found, disk)


def _hung(found: Findings, disk: FileSystem) -> None:
    mount = disk["mount"]
    found.hold("disks_hung", 1, f"{mount} doesn't answer ({disk['type']})", subject=mount)
    if mount in _LOGINS_NEED:
        found.hold("login_disks_hung", 1, f"each login waits for {mount}, which doesn't answer", subject=mount)


def _failed(found: Findings, disk: FileSystem) -> None:
    found.hold("disks_failed", 1, f"{disk['mount']} answers with an error ({disk['type']})", subject=disk["mount"])


def _read_only(found: Findings, mount: str) -> None:
    if mount == "/":
        found.hold("root_read_only", 1, "the root file system has become read-only", subject=mount)
    else:
        found.hold("disks_read_only", 1, f"{mount} has become read-only: the kernel met an error", subject=mount)


def _full(found: Findings, disk: FileSystem) -> None:
    mount, left = disk["mount"], disk["available_bytes"]
    # A full share stops what writes to it, not the host; a full /boot stops the next upgrade of the kernel.
    at_most = "warning" if disk["kind"] == "network" or (mount + "/").startswith("/boot/") else "critical"
    found.hold(
        "disk_used_percent",
        disk["used_percent"],
        f"{mount} is {number_text(disk['used_percent'])} % full, {size_text(left)} left",
        subject=mount,
        left=None if left is None else left / _MIB,
        at_most=at_most,
    )
    if not disk["inodes_from_space"]:
        found.hold(
            "inodes_used_percent",
            disk["inodes_used_percent"],
            f"{mount} has used {number_text(disk['inodes_used_percent'])} % of its inodes",
            subject=mount,
            left=disk["inodes_available"],
            at_most=at_most,
        )
