# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log has whole lines of JSON, also if many runs write and if the disk is full."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import action_log


def test_a_line_has_the_time_the_host_the_event_and_the_values(tmp_path):
    path = tmp_path / "deep" / "rescue.log"
    action_log.append(str(path), "crawler1", "step", {"said": "a\nb", "why": ["x"]})
    action_log.append(str(path), "crawler2", "recovered", {})
    first, second = map(json.loads, path.read_text().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.pop("time"))
    assert first == {"box": "crawler1", "event": "step", "said": "a\nb", "why": ["x"]}
    assert (second["box"], second["event"]) == ("crawler2", "recovered")
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_lines_of_many_writers_do_not_mix(tmp_path):
    path = str(tmp_path / "log")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: action_log.append(path, str(number), "e", {"x": "y" * 5000}), range(100)))
    with open(path) as stream:
        assert sorted(int(json.loads(line)["box"]) for line in stream) == list(range(100))


def test_half_a_line_is_taken_back_and_said(tmp_path, monkeypatch):
    path = tmp_path / "log"
    action_log.append(str(path), "b", "first", {})
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
    with pytest.raises(SettingsError, match=r"cannot write the log .*/log \(only 10 of \d+ bytes were written"):
        action_log.append(str(path), "b", "second", {})
    assert path.read_bytes() == before


def test_a_log_that_cannot_be_written_is_named():
    with pytest.raises(SettingsError, match=r"cannot write the log /proc/nowhere/log \(No such file"):
        action_log.append("/proc/nowhere/log", "b", "e", {})
