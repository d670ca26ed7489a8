# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading regular files only."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular


def test_a_regular_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "pid"
    path.write_bytes(b"2172\n\xff")
    assert regular.read(str(path), 100) == "2172\n\\xff"
    assert regular.read(str(path), 3) == "217"


@pytest.mark.parametrize("kind", ["missing", "fifo", "folder", "link", "device", "NUL"])
def test_everything_else_is_none(tmp_path, kind):
    path = str(tmp_path / "pid")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        os.mkdir(path)
    elif kind == "link":
        (tmp_path / "target").write_text("1")
        os.symlink("target", path)
    elif kind == "device":
        path = "/dev/zero"
    elif kind == "NUL":
        path += "\0"
    assert regular.read(path, 100) is None
