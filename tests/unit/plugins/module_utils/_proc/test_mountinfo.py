# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of mountinfo, with the kernel's escapes."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo


def test_a_line_is_read_to_its_last_field():
    assert list(
        mountinfo.parse("36 35 98:0 /mnt1 /a\\040b rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n")
    ) == [
        mountinfo.Mount(
            36,
            35,
            "98:0",
            "/mnt1",
            "/a\\040b",
            "/a b",
            ("rw", "noatime"),
            "ext3",
            "/dev/root",
            ("rw", "errors=continue"),
        )
    ]


def test_no_optional_field_and_an_empty_source():
    (found,) = mountinfo.parse("36 35 0:9 / /x rw - tmpfs  rw,size=4k\n")
    assert (found.type, found.source, found.super_options) == ("tmpfs", "", ("rw", "size=4k"))


@pytest.mark.parametrize(
    ("escaped", "point", "data"),
    [
        (r"/a\040b", "/a b", b"/a b"),
        (r"/a\011b", "/a\tb", b"/a\tb"),
        (r"/a\012b", "/a\nb", b"/a\nb"),
        (r"/a\134b", "/a\\b", b"/a\\b"),
        (r"/a\043b", "/a#b", b"/a#b"),
        (r"/a\134040b", r"/a\040b", rb"/a\040b"),
        (r"/a\0401", "/a 1", b"/a 1"),
        (r"/a\xff", r"/a\xff", b"/a\xff"),
        (r"/a\134xff", r"/a\xff", rb"/a\xff"),
        ("/\u00e9", "/\u00e9", "/\u00e9".encode()),
    ],
)
def test_escapes_of_the_kernel_and_of_the_decoder(escaped, point, data):
    assert (mountinfo.unescape(escaped), mountinfo.path_bytes(escaped)) == (point, data)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "36 35 98:0 / /x rw ext3 /dev/root rw",
        "36 35 98:0 / /x rw - ext3 /dev/root",
        "x 35 98:0 / /x rw - ext3 /dev/root rw",
        "36 -1 98:0 / /x rw - ext3 /dev/root rw",
        "36 35 98 / /x rw - ext3 /dev/root rw",
        "36 35 98:0 - / /x rw ext3 /dev/root rw",
        "9999999999999999999 35 98:0 / /x rw - ext3 /dev/root rw",
    ],
)
def test_a_line_that_is_not_a_mount_is_left_out(line):
    good = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
    assert [mount.id for mount in mountinfo.parse(line + "\n" + good)] == [1]


def test_without_a_text_there_are_no_mounts():
    assert mountinfo.parse(None) == mountinfo.parse("") == ()


def test_the_root_of_this_host_is_listed():
    mounts = mountinfo.parse(_reader.read(mountinfo.SOURCES[0]))
    roots = [mount for mount in mounts if mount.point == "/"]
    device = os.stat("/").st_dev
    assert f"{os.major(device)}:{os.minor(device)}" in [mount.device for mount in roots]


@given(st.text() | st.text(alphabet="0123456789:/ -\\x\n,abct", max_size=300))
def test_no_text_makes_it_raise(text):
    for mount in mountinfo.parse(text):
        assert isinstance(mount.point, str)
        mountinfo.path_bytes(mount.raw)
