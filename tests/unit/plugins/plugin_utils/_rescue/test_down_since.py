# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time since which a host is known to be down."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import down_since


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state" / "down.json")


def test_the_first_look_counts(path):
    assert down_since.note(path, "b1", True, 1000) == 1000
    assert down_since.note(path, "b1", True, 1600) == 1000
    assert down_since.since(path, "b1", 1700) == 1000


def test_a_host_that_answers_is_forgotten(path):
    down_since.note(path, "b1", True, 1000)
    down_since.note(path, "b2", True, 1000)
    assert down_since.note(path, "b1", False, 1100) is None
    assert down_since.note(path, "b1", True, 1200) == 1200
    assert down_since.since(path, "b2", 1200) == 1000


def test_a_long_time_without_a_look_says_nothing(path):
    down_since.note(path, "b1", True, 1000)
    later = 1000 + down_since.LONGEST_GAP + 1
    assert down_since.since(path, "b1", later) == later
    assert down_since.note(path, "b1", True, later) == later


def test_a_clock_that_was_set_back_says_nothing(path):
    down_since.note(path, "b1", True, 1000)
    assert down_since.note(path, "b1", True, 500) == 500


@pytest.mark.parametrize("text", ["", "{", "[]", '{"b1": 7}', '{"b1": {"first": "x", "last": 1}}'])
def test_damaged_entries_are_forgotten(path, text):
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as stream:
        stream.write(text)
    assert down_since.note(path, "b1", True, 1000) == 1000
    with open(path) as stream:
        assert json.load(stream) == {"b1": {"first": 1000, "last": 1000}}


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SettingsError, match=r"lifeline_reboot_state: cannot write .*/file/down.json \(File exists\); set another file"
    ):
        down_since.note(str(tmp_path / "file" / "down.json"), "b1", True, 1)


def test_many_at_once_lose_nothing(path):
    with concurrent.futures.ProcessPoolExecutor(8, multiprocessing.get_context("fork")) as pool:
        list(pool.map(down_since.note, [path] * 60, [f"b{number}" for number in range(60)], [True] * 60, [1000] * 60))
    with open(path) as stream:
        assert len(json.load(stream)) == 60
    assert sorted(os.listdir(os.path.dirname(path))) == ["down.json", "down.json.lock"]
