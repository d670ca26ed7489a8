# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines about deleted files become files with their holders."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._disks import deleted


def test_a_file_with_two_holders_counts_once():
    text = (
        "2049:77 4096 12 5 ruby /var /var/log/a\\040b.log\n"
        "2049:77 4096 13 - sidekiq\\0407 /var /var/log/a\\040b.log\n"
        "2049:77 4096 13 - sidekiq\\0407 /var /var/log/a\\040b.log\n"
        "2049:78 8192 14 6 nginx / /tmp/x\n"
        "unreadable 3\n"
    )
    assert deleted.parse(text) == {
        "files": [
            {
                "bytes": 8192,
                "path": "/tmp/x",
                "mount": "/",
                "holders": [{"pid": 14, "name": "nginx", "fd": 6}],
            },
            {
                "bytes": 4096,
                "path": "/var/log/a b.log",
                "mount": "/var",
                "holders": [{"pid": 12, "name": "ruby", "fd": 5}, {"pid": 13, "name": "sidekiq 7", "fd": None}],
            },
        ],
        "total_bytes": 12288,
        "unreadable_processes": 3,
    }


def test_files_without_a_number_are_told_apart_by_their_paths():
    found = deleted.parse("- - - - loop0 / /one\n- 512 - - swap / /two\n- - - - loop1 / /one\n")
    assert [(file["path"], file["bytes"], len(file["holders"])) for file in found["files"]] == [
        ("/two", 512, 1),
        ("/one", None, 2),
    ]
    assert found["total_bytes"] == 512


@pytest.mark.parametrize(
    "text",
    [None, "", "x", "2049:77 4096 12 5 ruby /var", "2049:77 4096 12 5 ruby / /x y", "unreadable many", "- - - -"],
)
def test_anything_else_is_left_out(text):
    assert deleted.parse(text) == {"files": [], "total_bytes": 0, "unreadable_processes": 0}


@given(st.text() | st.text(alphabet="0123456789:- /ab\\n\n", max_size=200))
def test_no_text_makes_it_raise(text):
    deleted.parse(text)
