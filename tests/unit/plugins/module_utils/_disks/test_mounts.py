# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import mounts as disks_mounts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo


def line(number, parent, point, device="8:1", root="/", options="rw", kind="ext4", source="/dev/sda1", upper="rw"):
    return f"{number} {parent} {device} {root} {point} {options} shared:1 - {kind} {source} {upper}\n"


def mount(kind="ext4", source="/dev/sda1", upper="rw", options="rw", point="/x"):
    return mountinfo.parse(line(2, 1, point, kind=kind, source=source, upper=upper, options=options))[0]


def points(text):
    return [[mount.point for mount in group] for group in disks_mounts.file_systems(mountinfo.parse(text))]


@pytest.mark.parametrize(
    "kind, found",
    [
        (mount(), "local"),
        (mount("btrfs"), "local"),
        (mount("zfs", "tank:old/data"), "local"),
        (mount("ext4", "/dev/disk/by-path/pci-0000:00:1f.2"), "local"),
        (mount("fuseblk", "/dev/sdb1"), "local"),
        (mount("nfs4", "nas:/export"), "network"),
        (mount("cifs", "//nas/share"), "network"),
        (mount("fuse.sshfs", "me@files:/"), "network"),
        (mount("fuse.unheard-of", "cluster:/volume"), "network"),
        (mount("virtiofs", "share"), "network"),
        (mount("tmpfs", "tmpfs"), "memory"),
        (mount("overlay", "overlay", "rw,lowerdir=/l,upperdir=/u,workdir=/w"), "overlay"),
        (mount("overlay", "overlay", "ro,lowerdir=/l,upperdir=/u,workdir=/w"), "overlay"),
        (mount("overlay", "composefs", "ro,lowerdir=/l:/m"), "image"),
        (mount("fuse.fuse-overlayfs", "fuse-overlayfs"), "overlay"),
        (mount("squashfs", "/dev/loop3", "ro"), "image"),
        (mount("fuse.snapfuse", "snapfuse"), "image"),
        (mount("ext4", "/dev/loop3", "ro"), "image"),
        (mount("udf", "/dev/sr0", "ro"), "image"),
        (mount("ext4", "/dev/sda1", "ro,errors=remount-ro"), "local"),
        (mount("ext4", "/dev/loop3", "rw", options="ro"), "local"),
    ],
)
def test_kind(kind, found):
    assert disks_mounts.kind(kind) == found


@pytest.mark.parametrize(
    "found, expected",
    [
        (mount(), True),
        (mount(options="ro"), False),
        (mount(upper="ro,errors=remount-ro"), False),
        (mount(upper="rw,emergency_ro"), False),
    ],
)
def test_can_be_written(found, expected):
    assert disks_mounts.can_be_written(found) is expected


def test_what_is_covered_is_not_seen():
    text = (
        line(1, 0, "/")
        + line(2, 1, "/a", "8:2")
        + line(3, 2, "/a/b", "8:3")
        + line(4, 1, "/c", "8:4")
        # Over a mount point, and over a directory above one.
        + line(5, 4, "/c", "8:5")
        + line(6, 2, "/a", "8:6")
    )
    assert [found.id for found in disks_mounts.visible(mountinfo.parse(text))] == [1, 5, 6]


def test_the_root_file_system_of_the_kernel_is_covered_by_the_real_one():
    text = line(1, 1, "/", "0:1", kind="rootfs", source="rootfs") + line(20, 1, "/")
    assert [found.id for found in disks_mounts.visible(mountinfo.parse(text))] == [20]


def test_a_root_that_is_no_mount_as_in_chroot():
    text = line(30, 20, "/data", "8:2") + line(31, 30, "/data/deep", "8:3")
    assert points(text) == [["/data"], ["/data/deep"]]


@pytest.mark.parametrize(
    "text, expected",
    [
        # A bind mount of a directory never stands for the file system, wherever it is.
        (line(1, 0, "/") + line(2, 1, "/b", root="/srv"), [["/", "/b"]]),
        (
            line(1, 0, "/") + line(2, 1, "/b", "8:2", root="/srv") + line(3, 1, "/data/long", "8:2"),
            [["/"], ["/data/long", "/b"]],
        ),
        # But the root of the box always does.
        (line(1, 0, "/", root="/ostree/deploy/x") + line(2, 1, "/sysroot"), [["/", "/sysroot"]]),
        # Subvolumes of one file system share a device here, though stat() tells them apart.
        (
            line(1, 0, "/", "0:30", "/@", kind="btrfs") + line(2, 1, "/home", "0:30", "/@home", kind="btrfs"),
            [["/", "/home"]],
        ),
        # Exports of one server that lie on one disk there were still mounted apart.
        (
            line(1, 0, "/")
            + line(2, 1, "/n/a", "0:40", kind="nfs", source="s:/a")
            + line(3, 1, "/n/b", "0:40", kind="nfs", source="s:/b"),
            [["/"], ["/n/a"], ["/n/b"]],
        ),
        # Single files that an engine mounts into a container are no mount points to name a disk by.
        (
            line(1, 0, "/", "0:30", kind="overlay", source="overlay")
            + line(2, 1, "/etc/hosts", root="/c/hosts")
            + line(3, 1, "/etc/resolv.conf", root="/c/resolv.conf"),
            [["/"]],
        ),
        (
            line(1, 0, "/", "0:30", kind="overlay", source="overlay")
            + line(2, 1, "/etc/hosts", root="/c/hosts")
            + line(3, 1, "/data", root="/volumes/data/_data"),
            [["/"], ["/data", "/etc/hosts"]],
        ),
        (line(1, 0, "/") + line(2, 1, "/mnt/x//deleted", "8:2"), [["/"]]),
        (
            line(1, 0, "/") + line(2, 1, "/procs", "8:2") + line(3, 1, "/proc/kcore", "0:5", kind="tmpfs"),
            [["/"], ["/procs"]],
        ),
        (
            line(1, 0, "/") + line(2, 1, "/dev", "0:5", kind="tmpfs") + line(3, 2, "/dev/shm", "0:6", kind="tmpfs"),
            [["/"], ["/dev/shm"]],
        ),
    ],
)
def test_each_file_system_once(text, expected):
    assert points(text) == expected


def test_what_lies_inside_a_network_mount_may_hang_as_well():
    text = (
        line(1, 0, "/")
        + line(2, 1, "/n", "0:40", kind="nfs", source="s:/a")
        + line(3, 2, "/n/disk", "8:2")
        + line(4, 1, "/net", "0:41", kind="autofs", source="/etc/auto.net")
        + line(5, 4, "/net/disk", "8:3")
        + line(6, 1, "/ntfs", "8:4", kind="fuseblk")
    )
    assert disks_mounts.guarded(mountinfo.parse(text)) == {2, 3, 5, 6}


@given(
    st.text(alphabet="0123456789:/ -\\x\n,abct", max_size=300)
    | st.binary(max_size=200).map(lambda data: data.decode("latin-1"))
)
@example("1 2 8:1 / /x rw - ext4 a rw\n2 1 8:1 / /x rw - ext4 a rw\n")
@example("1 1 8:1 / / rw - ext4 a rw\n1 1 8:1 / / rw - ext4 a rw\n")
def test_no_text_makes_it_raise(text):
    mounts = mountinfo.parse(text)
    shown = [found for group in disks_mounts.file_systems(mounts) for found in group]
    assert {found.id for found in shown} <= {found.id for found in mounts}
    assert disks_mounts.guarded(mounts) <= {found.id for found in mounts}


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/d"])),
        max_size=8,
    )
)
def test_no_tree_of_mounts_keeps_it_busy_for_ever(tree):
    mounts = mountinfo.parse("".join(line(number, parent, point, f"8:{number}") for number, parent, point in tree))
    assert len(disks_mounts.visible(mounts)) <= len(mounts)


def test_a_path_leads_to_the_last_mount_at_its_longest_mount_point():
    text = line(1, 0, "/") + line(2, 1, "/a") + line(3, 2, "/a") + line(4, 3, "/a/b") + line(5, 2, "/a/b")
    tree = disks_mounts.MountTree(mountinfo.parse(text))
    paths = ("/", "/x", "/a", "/a/x", "/a/b", "/a//b/c", "/ab", "")
    assert [tree.at(path).id for path in paths] == [1, 1, 3, 3, 4, 4, 1, 1]
    assert tree.at("/a" * 3000) is None
    assert disks_mounts.at("/a/b/c", mountinfo.parse(text)).id == 4
    assert disks_mounts.MountTree(()).at("/a") is None
