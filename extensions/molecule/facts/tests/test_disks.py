# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare disk_facts with df."""

from __future__ import annotations

import pytest

testinfra_hosts = ["ansible://facts_plain", "ansible://facts_disk"]

MIB = 1 << 20


COLUMNS = "target,fstype,size,used,avail,pcent,itotal,iused,ipcent"


@pytest.fixture
def df(told):
    """Return a function that returns all rows of df by mount point, including those that df hides by default."""

    def ask():
        rows = [
            dict(zip(COLUMNS.split(","), line, strict=True)) for line in told(f"df -B1 --all --output={COLUMNS}")[1:]
        ]
        return {row["target"]: {column: value_of(word) for column, word in row.items()} for row in rows}

    return ask


def value_of(word):
    if word == "-":
        return None
    return int(word.rstrip("%")) if word.rstrip("%").isdigit() else word


def test_each_file_system_is_as_full_as_df_shows(facts, df, way, between):
    earlier, disks, later = df(), facts("disk", way), df()
    assert {disk["mount"] for disk in disks["filesystems"]} >= {"/"}
    assert disks["hung"] == []
    for disk in disks["filesystems"]:
        before, after = earlier[disk["mount"]], later[disk["mount"]]
        assert disk["readable"], disk["mount"]
        assert disk["type"] == before["fstype"]
        assert disk["size_bytes"] == before["size"]
        assert between(disk["used_bytes"], before["used"], after["used"], 16 * MIB)
        assert between(disk["available_bytes"], before["avail"], after["avail"], 16 * MIB)
        # Ansible's temporary file can be the only file on a tmpfs, and be gone a moment later.
        still = disk["used_bytes"] in (before["used"], after["used"])
        assert between(disk["used_percent"] or 0, before["pcent"] or 0, after["pcent"] or 0, 0 if still else 1)
        assert (disk["inodes_total"] or 0) == before["itotal"]
        assert between(disk["inodes_used"] or 0, before["iused"], after["iused"], 500)
        assert disk["inodes_used_percent"] in (before["ipcent"], after["ipcent"])
