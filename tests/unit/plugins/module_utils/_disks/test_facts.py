# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts

HEAD = "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
KB = 1024


def by_mount(sources):
    return {disk["mount"]: disk for disk in disk_facts.parse(sources)["filesystems"]}


def root(statfs):
    (disk,) = disk_facts.parse({"/proc/self/mountinfo": HEAD, "statfs": statfs})["filesystems"]
    return disk


def test_the_seed_crawler(box):
    disks = by_mount(box("seed-crawler"))
    # df -h on that box: /dev/xvda1 7.8G, 5.5G used, 1.9G available, 75%; a tmpfs of 1.5G on /run.
    assert list(disks) == ["/", "/run", "/run/lock", "/run/shm", "/run/user"]
    assert disks["/"]["used_percent"] == 75.0
    assert [round(disks["/"][key] / 2**30, 1) for key in ("size_bytes", "used_bytes")] == [7.7, 5.5]
    assert (
        disks["/"]["size_bytes"] - disks["/"]["used_bytes"]
        == disks["/"]["available_bytes"] + disks["/"]["reserved_bytes"]
    )
    assert round(disks["/run"]["size_bytes"] / 2**30, 1) == 1.5
    assert disks["/run"]["kind"] == "memory"


def test_a_host_of_containers(box):
    facts = disk_facts.parse(box("docker-host"))
    shown = [
        (disk["mount"], disk["kind"], disk["used_percent"], disk["inodes_used_percent"], disk["read_only"])
        for disk in facts["filesystems"]
    ]
    assert shown == [
        ("/", "local", 85.0, 10.0, False),
        ("/boot/efi", "local", 2.0, None, False),
        ("/dev/shm", "memory", 0.0, 1.0, False),
        ("/mnt/backup", "network", None, None, False),
        ("/mnt/covered", "memory", 75.0, 1.0, False),
        ("/mnt/failed", "local", 25.0, 100.0, True),
        ("/mnt/old disk\\x091", "local", 101.0, 1.0, True),
        ("/mnt/private", "network", None, None, False),
        ("/net/nas", "network", 55.0, None, False),
        ("/run", "memory", 1.0, 1.0, False),
        ("/run/user/1000", "memory", 1.0, 1.0, False),
        ("/snap/core22/1380", "image", 100.0, 100.0, True),
        ("/var/lib/docker", "local", 95.0, 2.0, False),
    ]
    assert facts["hung"] == ["/mnt/backup"]
    assert facts["unreadable"] == 1
    disks = {disk["mount"]: disk for disk in facts["filesystems"]}
    assert [mount for mount, disk in disks.items() if disk["always_full"]] == ["/snap/core22/1380"]
    assert [mount for mount, disk in disks.items() if not disk["readable"]] == ["/mnt/backup", "/mnt/private"]
    # Root has used more than what is free: 562 blocks of what is reserved.
    assert disks["/mnt/old disk\\x091"]["available_bytes"] == -510 * 4096
    assert disks["/mnt/old disk\\x091"]["reserved_bytes"] == (26214 + 510) * 4096
    assert disks["/mnt/failed"]["options"] == ["ro", "relatime", "errors=remount-ro"]
    assert disks["/mnt/covered"]["device"] == "second"


def test_a_container_whose_root_is_an_overlay(box):
    disks = by_mount(box("podman-trixie"))
    assert list(disks) == ["/", "/dev/shm", "/run", "/run/lock", "/tmp", "/var/log/journal"]
    # As df in that container had it.
    assert {mount: disk["kind"] for mount, disk in disks.items() if disk["kind"] != "memory"} == {"/": "overlay"}
    assert disks["/"]["used_percent"] == 25.0
    assert disks["/dev/shm"]["size_bytes"] == 64000 * KB


def test_subvolumes_and_data_sets_show_each_space_once(box):
    disks = by_mount(box("pools"))
    # The parent of all data sets is empty, but its child has filled the pool. A quota is a space of its own.
    assert list(disks) == ["/", "/tank/data", "/tank/limited"]
    assert disks["/tank/data"]["used_percent"] == 89.0
    assert disks["/tank/limited"]["used_percent"] == 100.0
    assert disks["/"]["inodes_total"] is None
    # One of its three mounts can't be written, the other two can.
    assert disks["/"]["read_only"] is False


@pytest.mark.parametrize(
    "used, available, percent",
    [
        (31471616, 17858560, 64.0),
        (0, 100, 0.0),
        (1, 999999999, 1.0),
        (99, 1, 99.0),
        (991, 9, 100.0),
        (100, 0, 100.0),
        (0, 0, None),
        (None, 5, None),
        (5, None, None),
        (100, -10, 112.0),
        (5, -10, None),
        (-1, 1000, 0.0),
        (-5, 10, None),
    ],
)
def test_the_percentage_is_rounded_as_df_does(used, available, percent):
    assert disk_facts.used_percent(used, available) == percent


@pytest.mark.parametrize(
    "statfs, readable, hung",
    [
        ("4096 4096 100 50 40 10 5 /\n", True, False),
        ("hung /\n", False, True),
        ("error /\n", False, False),
        ("denied /\n", False, False),
        ("", False, False),
        ("4096 4096 ? 50 40 10 5 /\n", False, False),
        ("0 0 100 50 40 10 5 /\n", False, False),
        ("4096 4096 100 50 40 10 5 /other\n", False, False),
    ],
)
def test_what_a_mount_can_answer(statfs, readable, hung):
    disk = root(statfs)
    assert (disk["readable"], disk["hung"], disk["size_bytes"]) == (readable, hung, 409600 if readable else None)


@pytest.mark.parametrize("word, failed", [("error", True), ("denied", False), ("hung", False)])
def test_a_mount_that_the_login_may_not_ask_has_not_failed(word, failed):
    assert root(f"{word} /\n")["failed"] == failed


def test_the_block_size_stands_in_for_a_fragment_size_that_is_missing():
    assert root("0 512 100 50 40 10 5 /\n")["size_bytes"] == 51200
    assert root("? 512 100 50 40 10 5 /\n")["size_bytes"] == 51200


def test_space_that_the_file_system_does_not_know():
    unknown = str(2**64 - 1)
    disk = root(f"4096 4096 100 {unknown} {unknown} 10 {unknown} /\n")
    assert disk["size_bytes"] == 409600
    assert disk["inodes_total"] == 10
    assert {
        disk[key]
        for key in (
            "used_bytes",
            "available_bytes",
            "reserved_bytes",
            "used_percent",
            "inodes_used",
            "inodes_used_percent",
        )
    } == {None}


def test_a_box_without_its_mounts():
    assert disk_facts.parse({}) == {"filesystems": [], "hung": [], "unreadable": 0, "deleted": None}


def test_a_file_system_without_blocks_is_left_out_but_the_root_is_not():
    text = HEAD + "26 25 0:9 / /empty rw - tmpfs x rw\n"
    assert list(
        by_mount({"/proc/self/mountinfo": text, "statfs": "512 512 0 0 0 0 0 /empty\n512 512 0 0 0 0 0 /\n"})
    ) == ["/"]


def test_a_newline_in_a_mount_point_forges_no_answer():
    forged = "4096 4096 1 0 0 0 0 /x"
    line = "%d 25 8:%d / %s rw - ext4 y rw\n"
    text = HEAD + line % (26, 2, "/m\\012" + forged.replace(" ", "\\040")) + line % (27, 3, "/m") + line % (28, 4, "/x")
    figures = "4096 4096 100 %d %d 0 0 %s\n"
    statfs = "".join(
        figures % (free, free, point) for free, point in ((50, "/"), (80, "/m\n" + forged), (20, "/m"), (40, "/x"))
    )
    disks = by_mount({"/proc/self/mountinfo": text, "statfs": statfs})
    assert {mount: disk["used_percent"] for mount, disk in disks.items()} == {
        "/": 50.0,
        "/m\\x0a" + forged: 20.0,
        "/m": 80.0,
        "/x": 60.0,
    }


def test_the_disk_under_the_overlay_of_a_container_is_not_shown_again():
    overlay = "30 1 0:30 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/cow/upper,workdir=/cow/work\n"
    figures = "4096 4096 1000 %d 400 100 50 %s\n"
    # A directory of the host in the container; the disk itself, where the box was booted with an overlay on it.
    for line, point in (
        ("31 30 8:1 /srv /data rw - ext4 /dev/sda1 rw\n", "/data"),
        ("31 30 8:1 / /cow rw - ext4 /dev/sda1 rw\n", "/cow"),
    ):
        statfs = figures % (500, "/") + figures % (499, point)
        assert list(by_mount({"/proc/self/mountinfo": overlay + line, "statfs": statfs})) == ["/"]
    # Another disk, though of the same make.
    line = "31 30 8:1 / /backup rw - ext4 /dev/sdb1 rw\n"
    statfs = figures % (500, "/") + figures % (500, "/backup")
    assert list(by_mount({"/proc/self/mountinfo": overlay + line, "statfs": statfs})) == ["/", "/backup"]
    line = "31 30 8:1 /srv /data rw - ext4 /dev/sdb1 rw\n"
    statfs = figures % (500, "/") + figures % (900, "/data")
    assert list(by_mount({"/proc/self/mountinfo": overlay + line, "statfs": statfs})) == ["/", "/data"]


WORDS = st.lists(
    st.sampled_from(
        ["0", "1", "-5", str(2**64 - 1), str(2**63), "4096", "9" * 20, "?", "/", "/a", "hung", "error", "\n"]
    )
)


@given(WORDS, st.text(max_size=100))
def test_no_text_makes_it_raise(words, text):
    mounts = HEAD + "26 25 0:9 / /a\\012b rw - tmpfs x rw\n27 25 0:9 / /a rw - zfs p/x rw\n"
    for statfs in (" ".join(words), text):
        facts = disk_facts.parse({"/proc/self/mountinfo": mounts, "statfs": statfs})
        assert facts["filesystems"][0]["mount"] == "/"
    assert disk_facts.parse({"/proc/self/mountinfo": text, "statfs": text})["deleted"] is None


@given(st.tuples(*[st.sampled_from([0, 1, 7, 4096, 2**63, 2**64 - 2, 2**64 - 1]) | st.integers(0, 2**64 - 1)] * 7))
def test_any_figures_are_either_numbers_or_null(figures):
    disk = root("%d %d %d %d %d %d %d /\n" % figures)
    assert all(value is None or value >= 0 for key, value in disk.items() if key.endswith("_percent"))
