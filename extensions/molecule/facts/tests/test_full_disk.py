# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare disk_facts with findmnt and lsof on the box with a full disk."""

from __future__ import annotations

testinfra_hosts = ["ansible://facts_disk"]

BLOCK = 4096


def test_every_file_system_on_a_disk_is_listed(facts, told):
    # Files that podman binds into the box are on the machine's disk, not on a file system of the box.
    targets = [target for (target,) in told("findmnt --real --noheadings --raw --output TARGET")]
    mounts = {target for target in targets if not target.startswith(("/etc/", "/run/"))}
    assert "/data" in mounts
    assert mounts <= {disk["mount"] for disk in facts("disk")["filesystems"]}


def test_a_deleted_file_that_is_still_open_is_found_with_its_process(facts, told):
    (line,) = [line for line in told("lsof -nP +aL1 /data") if line[-1] == "(deleted)"]
    command, pid, size, path = line[0], int(line[1]), int(line[6]), line[-2]
    (deleted,) = [file for file in facts("disk", deleted=True)["deleted"]["files"] if file["path"].startswith("/data")]
    assert deleted["path"] == path == "/data/access.log"
    assert deleted["mount"] == "/data"
    assert 0 <= deleted["bytes"] - size < BLOCK
    assert [(holder["pid"], holder["name"]) for holder in deleted["holders"]] == [(pid, command)]


def test_a_user_without_privileges_learns_how_much_is_hidden(facts):
    deleted = facts("disk", "user", deleted=True)["deleted"]
    assert deleted["unreadable_processes"] > 0
    assert not [file for file in deleted["files"] if file["path"].startswith("/data")]
