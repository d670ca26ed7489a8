# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a playbook at a time; a run that has ended does not block the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run


def test_a_run_is_told_from_a_later_one_of_the_same_number(tmp_path):
    path = tmp_path / "deep" / "lock"
    assert only_run.take(str(path), os.getpid()) is None
    assert only_run.take(str(path), os.getpid()) is None
    other = only_run.take(str(path), 1)
    assert other["pid"] == os.getpid()
    assert abs(time.time() - other["since"]) < 600
    holder = json.loads(path.read_text())
    path.write_text(json.dumps({**holder, "birth": "1"}))
    assert only_run.take(str(path), 1) is None


@pytest.mark.parametrize(
    "damaged",
    ["", "{", "[]", "null", '{"pid": "x", "birth": 1, "since": 1}', '{"pid": 99999999999, "birth": null, "since": 1}'],
)
def test_a_damaged_lock_excludes_no_run(tmp_path, damaged):
    path = tmp_path / "lock"
    path.write_text(damaged)
    assert only_run.take(str(path), os.getpid()) is None


def test_of_many_that_begin_at_once_one_is_alone(tmp_path):
    script = (
        "import os, sys; from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run; "
        "print(only_run.take(sys.argv[1], os.getpid()) is None, flush=True); sys.stdin.read()"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _run in range(8)
    ]
    try:
        assert sorted(run.stdout.readline().strip() for run in runs) == ["False"] * 7 + ["True"]
    finally:
        for run in runs:
            run.communicate("")


def test_a_lock_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"path: cannot write .*file/lock \(File exists\); name another file"):
        only_run.take(str(tmp_path / "file" / "lock"), 1)


def test_the_lock_is_its_owners_only(tmp_path):
    only_run.take(str(tmp_path / "lock"), os.getpid())
    assert os.stat(tmp_path / "lock").st_mode & 0o777 == 0o600
