# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the other two scripts on hosts whose users forge and block."""

from __future__ import annotations

import tarfile
from datetime import datetime, timezone

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import archive
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import (
    evidence,
    evidence_script,
    state,
    state_script,
)

EVIDENCE = evidence_script.script(0.3, 60, lean=True)
STATE = state_script.script(60)
STATE_OF_APP = state_script.script(60, apps=["/tmp/app"])
LOOKS = 5
NOW = datetime(2026, 11, 21, 12, 52, 8, tzinfo=timezone.utc)


def test_no_command_line_forges_a_part_of_the_evidence(look, tmp_path):
    sources, named = evidence_script.parts(look("command_line", EVIDENCE).answer, "")
    assert "mysql.service" not in named["cgroups"]
    assert not [name for name in sources if "watchdog" in name]
    path = archive.write(str(tmp_path), "b1", evidence.members(sources, named, {"box": "b1"}), NOW)
    with tarfile.open(path) as kept:
        assert {name.partition("/")[0] for name in kept.getnames()} == {"b1"}
        assert b'"box": "b1"' in kept.extractfile("b1/about.json").read()


def test_no_deleted_file_forges_another(look):
    sources, named = evidence_script.parts(look("deleted_file", EVIDENCE).answer, "")
    found = evidence.read(sources, named)["deleted"]
    assert not [
        entry for entry in found if entry["pid"] == 1 or "var" in entry["path"] and entry["path"][:5] != "/tmp/"
    ]
    assert [line for line in named["deleted"].splitlines() if "systemctl" in line] == []


def test_nothing_hangs_the_evidence(look):
    looked = look("silent_system", EVIDENCE)
    sources, named = evidence_script.parts(looked.answer, "")
    assert looked.left in ([], ["stat D"])
    assert "kernel.log" in named


def test_no_command_line_forges_a_part_of_the_state(look):
    parts = state_script.parts(look("command_line", STATE).answer, "")
    found, _whole, _unread = state.parse(parts)
    assert found.get("package:openssl") != "0.0"


def test_a_deleted_file_of_a_mount_that_does_not_answer_is_not_asked(look):
    looked = look("silent_deleted_file", EVIDENCE, LOOKS)
    _sources, named = evidence_script.parts(looked.answer, "")
    assert looked.left == []
    assert "units" in named and "/tmp/silent" not in named["deleted"]


def test_a_deleted_file_of_a_disk_is_asked(look):
    _sources, named = evidence_script.parts(look("deleted_file", EVIDENCE).answer, "")
    assert " (deleted)" in named["deleted"]


def test_gems_in_a_mount_that_does_not_answer_are_waited_for_by_one_process_at_most(look):
    looked = look("gems", STATE_OF_APP, LOOKS)
    parts = state_script.parts(looked.answer, "")
    assert len(looked.left) <= 1
    assert "gems" in state.parse(parts)[2]


@pytest.mark.parametrize(
    ("attack", "version"), [("lock", "7.3.2"), ("lock_link", None), ("lock_fifo", None), ("none", None)]
)
def test_only_a_regular_file_is_an_applications_lock(look, attack, version):
    looked = look(attack, STATE_OF_APP)
    found, _whole, unread = state.parse(state_script.parts(looked.answer, ""), apps=True)
    assert found.get("bundle:sidekiq") == version
    assert ("lock" in unread) == (version is None)
    assert looked.left == []
