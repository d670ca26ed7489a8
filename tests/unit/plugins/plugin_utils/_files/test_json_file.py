# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON file is replaced as a whole, and set aside if it is damaged."""

from __future__ import annotations

import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import json_file


def accept(value):
    return value


def test_what_was_written_is_read(tmp_path):
    path = str(tmp_path / "deep" / "watch.json")
    assert json_file.read(path, accept) == (None, None)
    json_file.write(path, {"a": [1, "x"]})
    assert json_file.read(path, accept) == ({"a": [1, "x"]}, None)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "deep") == ["watch.json"]


def refuse(value):
    raise ValueError("it is no list")


@pytest.mark.parametrize(
    ("content", "check", "words"),
    [
        (b'{"boxes": {"here": ', accept, "was damaged"),
        (b"\xff\xfe", accept, "was damaged"),
        (b"[" * 100_000, accept, "was damaged"),
        (b"{}", refuse, "was damaged (it is no list)"),
    ],
)
def test_a_damaged_file_is_kept_under_another_name(tmp_path, content, check, words):
    path = tmp_path / "watch.json"
    path.write_bytes(content)
    value, warning = json_file.read(str(path), check)
    assert value is None and words in warning
    assert not path.exists()
    (aside,) = tmp_path.glob("watch.json.damaged-*")
    assert aside.read_bytes() == content and str(aside) in warning
    assert json_file.read(str(path), accept) == (None, None)


def test_a_file_that_cannot_be_written_or_read_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"cannot write .*file/watch.json \(File exists\); name another file"):
        json_file.write(str(tmp_path / "file" / "watch.json"), {})
    with pytest.raises(SettingsError, match=r"cannot read .* \(Is a directory\); name another file"):
        json_file.read(str(tmp_path), accept)
