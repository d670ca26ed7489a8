# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""disk_facts on the box with a full disk, against findmnt and lsof."""

from __future__ import annotations

testinfra_hosts = ["ansible://facts_disk"]

BLOCK = 4096


def test_no_file_system_with_a_disk_is_left_out(facts, told):
    # What podman binds into the box file by file is the machine's own disk, and no file system of the box.
    targets = [target for (target,) in told("findmnt --real --noheadings --raw --output TARGET")]
    mounts = {target for target in targets if not target.startswith(("/etc/", "/run/"))}
    assert "/data" in mounts
    assert mounts <= {disk["mount"] for disk in facts("disk")["filesystems"]}


def test_a_deleted_file_that_is_still_open_is_found_with_its_holder(facts, told):
    (line,) = [line for line in told("lsof -nP +aL1 /data") if line[-1] == "(deleted)"]
    command, pid, size, path = line[0], int(line[1]), int(line[6]), line[-2]
    (deleted,) = [file for file in facts("disk", deleted=True)["deleted"]["files"] if file["path"].startswith("/data")]
    assert deleted["path"] == path == "/data/access.log"
    assert deleted["mount"] == "/data"
    assert 0 <= deleted["bytes"] - size < BLOCK
    assert [(holder["pid"], holder["name"]) for holder in deleted["holders"]] == [(pid, command)]


def test_a_user_without_rights_is_told_how_much_stayed_hidden(facts):
    deleted = facts("disk", "user", deleted=True)["deleted"]
    assert deleted["unreadable_processes"] > 0
    assert not [file for file in deleted["files"] if file["path"].startswith("/data")]
