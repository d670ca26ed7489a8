# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook compare through Ansible itself, on this machine under several names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.action import compare as action
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from paths import ROOT

pytestmark = pytest.mark.plays
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
HERE = "{ansible_connection: local, ansible_python_interpreter: /nowhere/python}"
GONE = "{ansible_host: 127.0.0.1, ansible_port: 1}"


@pytest.fixture
def compare(tmp_path):
    """Return a function that plays it with an inventory, and returns its exit code, output and report, if any."""

    def run(*options, groups="web: {hosts: {one: %s, two: %s, gone: %s}}" % (HERE, HERE, GONE), **variables):
        (tmp_path / "hosts.yml").write_text(groups)
        path = tmp_path / "report.json"
        path.unlink(missing_ok=True)
        variables.setdefault("lifeline_compare_path", str(path))
        done = subprocess.run(
            [PLAYBOOK, "-i", tmp_path / "hosts.yml", "lifeline.fleet.compare", "-e", json.dumps(variables), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
            env=dict(
                os.environ,
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK="default",
                ANSIBLE_NOCOLOR="1",
                ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ),
        )
        return done.returncode, done.stdout, json.loads(path.read_text()) if path.exists() else None

    return run


def test_it_names_hosts_that_do_not_answer_and_compares_the_others(compare):
    code, output, report = compare()
    assert code == 0, output
    (group,) = report["groups"]
    assert (group["name"], group["boxes"]) == ("web", ["one", "two"])
    assert [one["box"] for one in report["unreachable"]] == ["gone"]
    assert "\nNot compared:\n  gone: connect to host 127.0.0.1 port 1: Connection refused\n" in output
    assert "\nweb: 2 boxes\n============\n" in output
    # It is one machine, so only a change at this very moment could differ.
    assert not [
        one
        for one in group["differences"]
        if one["name"].startswith(("package:", "gem:", "kernel", "limit:", "cmdline:"))
    ]
    numbers = {(number["metric"], number["subject"]) for number in group["numbers"]}
    assert {("memory_used_bytes", ""), ("load_per_cpu", "")} <= numbers


def test_what_has_changed_is_told_from_the_history_and_nothing_more_is_written_in_check_mode(compare, tmp_path):
    """Invent the past of this machine, because a test must not change it."""
    path, began = tmp_path / "history.db", time.time() - 86400
    with History(path, create=True) as history:
        history.record(
            Reading(
                "one", "state_info", taken=began, state={"kernel": "2.6.9", "package:gone": "1"}, whole=("package:",)
            )
        )
        history.record(Reading("one", "state_info", taken=began + 3600, state={"kernel": "6.1"}, whole=("package:",)))
    since = {"lifeline_compare_since": "1999-01-01T00:00:00Z", "lifeline_compare_ignore": ["package:*"]}
    code, output, report = compare("--check", "--limit", "one", lifeline_history=str(path), **since)
    assert code == 0, output
    assert report is None
    text = output.partition("Changed since 1999-01-01T00:00:00Z")[2]
    assert f"    {timestamp(began + 3600)[:16].replace('T', ' ')}  kernel: 2.6.9 -> 6.1\n" in text
    assert "package gone" not in text
    assert f"The history of one begins at {timestamp(began)}" in " ".join(text.split())
    with History(path) as history:
        assert len(history.readings()) == 2


def test_a_worker_whose_application_cannot_be_named_is_no_reason_to_stop(compare):
    groups = "web: {hosts: {one: %s}}\ndb: {hosts: {two: %s}}\nother: {hosts: {gone: %s}}" % (HERE, HERE, GONE)
    code, output, report = compare(
        groups=groups, lifeline_compare_groups="db,web", app_path="/var/www/my app", max_sidekiq_memory="1 GB"
    )
    assert code == 0, output
    assert report["groups"] == []
    assert [one["box"] for one in report["unreachable"]] == ["two", "one"]
    assert "app_path: not a path ('/var/www/my app'); use an absolute one" in " ".join(output.split())


def test_what_has_no_history_is_named(compare):
    code, output, report = compare("--limit", "one", lifeline_compare_since="2d")
    assert (code, report) == (2, None)
    assert "since: no history of one; set lifeline_history" in " ".join(output.split())


@pytest.mark.parametrize("since", [None, ""])
def test_since_may_be_left_out(since):
    assert action.ActionModule._since(since, 1e9) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: action.ActionModule._since("yesterday", 1e9),
            "since: not a time \\('yesterday'\\); give how long ago",
        ),
        (
            lambda: action.ActionModule._check({"score": -1, "floor": 10}),
            r"score: out of range \(-1\); use a number above 0",
        ),
        (
            lambda: action.ActionModule._check({"score": 3.5, "floor": -1}),
            r"floor: out of range \(-1\); use a percentage from 0 to 999",
        ),
        (
            lambda: action._write("/proc/nowhere/report.json", {}),
            "path: cannot write /proc/nowhere/report.json \\(No such file",
        ),
    ],
)
def test_settings_that_cannot_be_followed_are_named(call, words):
    with pytest.raises(SettingsError, match=words):
        call()


def test_a_report_replaces_the_last_one_as_a_whole(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("the last one")
    with pytest.raises(TypeError):
        action._write(str(path), {"groups": object()})
    assert path.read_text() == "the last one"
    action._write(str(path), {"groups": []})
    assert json.loads(path.read_text()) == {"groups": []}
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
