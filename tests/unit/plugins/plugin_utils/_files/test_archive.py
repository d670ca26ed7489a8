# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that an archive is written as a whole or not at all, and readable by its owner only."""

from __future__ import annotations

import os
import stat
import tarfile
from datetime import datetime, timezone

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import archive as files_archive

NOW = datetime(2026, 11, 21, 12, 52, 8, tzinfo=timezone.utc)


def test_it_holds_what_was_given(tmp_path):
    folder = tmp_path / "evidence"
    path = files_archive.write(str(folder), "b1-x", {"a/b": "text\n", "odd": "\udcff"}, NOW)
    assert path == str(folder / "b1-x.tar.gz")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    with tarfile.open(path) as archive:
        assert {member.name: (member.mode, member.mtime) for member in archive} == {
            "b1-x/a/b": (0o600, NOW.timestamp()),
            "b1-x/odd": (0o600, NOW.timestamp()),
        }
        assert archive.extractfile("b1-x/a/b").read() == b"text\n"
        assert archive.extractfile("b1-x/odd").read() == b"\xff"
    assert os.listdir(folder) == ["b1-x.tar.gz"]


def test_no_archive_replaces_another(tmp_path):
    paths = {files_archive.write(str(tmp_path), "b1", {"n": str(number)}, NOW) for number in range(3)}
    assert {os.path.basename(path) for path in paths} == {"b1.tar.gz", "b1-1.tar.gz", "b1-2.tar.gz"}


def test_what_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        SettingsError, match=r"cannot write the evidence to .* \(No space left on device\); name another folder"
    ):
        files_archive.write(str(tmp_path), "b1", {"a": "b"}, NOW)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot write the evidence to .*/file/below \(Not a directory\)"):
        files_archive.write(str(tmp_path / "file" / "below"), "b1", {"a": "b"}, NOW)


@pytest.mark.parametrize(
    ("box", "name"),
    [
        ("crawler3", "crawler3"),
        ("../../etc/x", "_.._etc_x"),
        ("[::1]:22", "___1__22"),
        ("..", "box"),
        ("a b\n", "a_b_"),
    ],
)
def test_a_box_of_any_name_is_one_file(box, name):
    assert files_archive.file_name(box, NOW) == name + "-20261121T125208Z"
