# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the search for deleted files that processes of this machine hold, except on mounts that may hang."""

from __future__ import annotations

import mmap
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import deleted, deleted_reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks.mounts import file_systems
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo

SIZE = 1 << 20


@pytest.fixture
def mounts():
    return mountinfo.parse(_reader.read("/proc/self/mountinfo"))


@pytest.fixture
def folder(tmp_path, mounts):
    """Give a folder on a file system that is listed."""
    device = os.stat(tmp_path).st_dev
    listed = {mount.device for group in file_systems(mounts) for mount in group}
    if f"{os.major(device)}:{os.minor(device)}" not in listed:
        pytest.skip("the temporary folder is on no listed file system")
    return tmp_path


def written(path):
    with open(path, "wb") as stream:
        stream.write(b"x" * SIZE)
        os.fsync(stream.fileno())
    return path


def found(mounts, path):
    """Return the entries of a deleted file."""
    return [file for file in deleted.parse(deleted_reader.read(mounts))["files"] if file["path"] == escape(str(path))]


def test_a_file_that_is_open_is_found_with_its_holder(folder, mounts):
    path = written(folder / "a b\\c\nd")
    with open(path, "rb") as stream:
        path.unlink()
        (file,) = found(mounts, path)
        assert file["bytes"] >= SIZE
        holders = [holder for holder in file["holders"] if holder["pid"] == os.getpid()]
        assert [holder["fd"] for holder in holders] == [stream.fileno()]
    assert found(mounts, path) == []


def test_a_mapping_of_a_file_is_found(folder, mounts):
    path = written(folder / "mapped")
    with open(path, "rb") as stream:
        mapping = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
    path.unlink()
    with mapping:
        holders = [holder for file in found(mounts, path) for holder in file["holders"]]
    # Only root may look at the files of mappings.
    own = [holder["fd"] for holder in holders if holder["pid"] == os.getpid()]
    assert None in own or os.geteuid() != 0


@pytest.mark.parametrize("state", ["empty", "linked"])
def test_a_file_that_takes_no_space_or_has_another_name_is_left_out(folder, mounts, state):
    path = folder / "file"
    path.write_bytes(b"" if state == "empty" else b"x" * SIZE)
    if state == "linked":
        os.link(path, folder / "other")
    with open(path, "rb"):
        path.unlink()
        assert found(mounts, path) == []


def test_a_file_on_a_mount_that_may_hang_is_not_touched(folder, mounts):
    path = written(folder / "file")
    device = os.stat(folder).st_dev
    device = f"{os.major(device)}:{os.minor(device)}"
    network = [mount._replace(type="nfs4") if mount.device == device else mount for mount in mounts]
    with open(path, "rb"):
        path.unlink()
        assert found(network, path) == []


def test_the_mappings_of_a_process():
    maps = (
        "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/ruby\n"
        "7f00aa000000-7f00ab000000 rw-s 00000000 00:1b 99   /tmp/a b (deleted)\n"
        "7f00ac000000-7f00ad000000 rw-s 00001000 00:1b 99   /tmp/a b (deleted)\n"
        "7f00ae000000-7f00af000000 rw-s 00000000 00:05 0    /dev/zero (deleted)\n"
        "(deleted)\n"
    )
    assert deleted_reader._deleted_mappings(maps) == [("7f00aa000000-7f00ab000000", "0:27", "/tmp/a b (deleted)")]
