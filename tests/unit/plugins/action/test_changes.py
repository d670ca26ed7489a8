# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook lifeline.fleet.watch on this machine: its state, its reports, and two runs at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS
from ansible_collections.lifeline.fleet.plugins.plugin_utils._rescue import only_run
from paths import ROOT

pytestmark = pytest.mark.plays
ANSIBLE_PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


@pytest.fixture
def watch(tmp_path):
    """Return a function that plays the playbook once, and returns its exit code, its output and its report."""

    def play(level="warning", options=(), **variables):
        thresholds = {name: {"warning": None, "critical": None} for name in CHECKS}
        if level:
            thresholds["memory_available_percent"][level] = 100
        hosts = {
            "here": {"ansible_connection": "local", "ansible_become": False, "lifeline_thresholds": thresholds},
            "gone": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
        }
        (tmp_path / "hosts.yml").write_text(json.dumps({"web": {"hosts": hosts}}))
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        variables = {
            "lifeline_watch_state": str(tmp_path / "state" / "watch.json"),
            "lifeline_watch_report": str(report),
            **variables,
        }
        done = subprocess.run(
            [
                ANSIBLE_PLAYBOOK,
                "-i",
                tmp_path / "hosts.yml",
                "lifeline.fleet.watch",
                "-e",
                json.dumps(variables),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        return done.returncode, done.stdout, json.loads(report.read_text()) if report.exists() else None

    return play


def said(report):
    return [(change["box"], change["change"], change["severity"]) for change in report["changes"]]


def test_it_tells_what_is_new_and_only_that(watch, tmp_path):
    told = tmp_path / "told"
    command = {"lifeline_watch_command": f"tee -a {told}"}
    code, output, report = watch(**command)
    assert code == 0, output
    assert said(report) == [("gone", "appeared", "down"), ("here", "appeared", "warning")]
    assert report["boxes"] == 2
    lines = told.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["gone down", "here warning"]
    code, output, report = watch(**command)
    assert (code, report["changes"]) == (0, [])
    assert "2 boxes, nothing new" in output
    assert told.read_text().splitlines() == lines


def test_check_mode_keeps_nothing(watch, tmp_path):
    code, output, report = watch(options=["--check"])
    assert (code, report) == (0, None), output
    assert "here warning" in output
    assert not (tmp_path / "state" / "watch.json").exists()


def test_a_damaged_file_is_set_aside_and_said_so(watch, tmp_path):
    state = tmp_path / "state" / "watch.json"
    state.parent.mkdir()
    state.write_text('{"boxes": {"here": ')
    code, output, report = watch()
    assert code == 0, output
    assert "was damaged" in output
    assert len(report["changes"]) == 2
    aside = list(state.parent.glob("watch.json.damaged-*"))
    assert [path.read_text() for path in aside] == ['{"boxes": {"here": ']
    assert set(json.loads(state.read_text())["boxes"]) == {"here", "gone"}
    assert state.stat().st_mode & 0o777 == 0o600


def test_another_run_that_goes_on_has_the_boxes_for_itself(watch, tmp_path):
    other = subprocess.Popen(["sleep", "1000"])
    try:
        only_run.take(str(tmp_path / "state" / "watch.json.lock"), other.pid)
        code, output, report = watch()
        assert (code, report) == (0, None), output
        assert f"another run (pid {other.pid}" in output
        assert "TASK [Find the changes]" not in output
        lock = tmp_path / "state" / "watch.json.lock"
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "since": time.time() - 7000}))
        code, output, report = watch()
        assert (code, report) == (2, None), output
        assert f"1.9 h) has not ended yet: end it: kill {other.pid}" in output
    finally:
        other.kill()
        other.wait()
    assert len(watch()[2]["changes"]) == 2


def test_a_report_command_that_fails_does_not_end_the_run(watch):
    code, output, report = watch(lifeline_watch_command="/nowhere/mail ops")
    assert code == 0, output
    assert "/nowhere/mail ops: " in output
    assert len(report["changes"]) == 2


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"lifeline_watch_settle": 0}, "settle: too small (0); use at least 1"),
        ({"lifeline_watch_remind": "later"}, "remind: not a duration ('later')"),
        ({"lifeline_watch_state": "/proc/nowhere/watch.json"}, "cannot write /proc/nowhere/watch.json.lock ("),
    ],
)
def test_what_cannot_be_followed_is_named(watch, variables, reason):
    code, output, report = watch(**variables)
    assert (code, report) == (2, None)
    assert reason in output
