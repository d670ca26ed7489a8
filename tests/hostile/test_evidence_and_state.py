# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other two scripts at hosts whose users forge and block."""

from __future__ import annotations

import tarfile
from datetime import datetime, timezone

from ansible_collections.lifeline.fleet.plugins.plugin_utils._files import archive
from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import (
    evidence,
    evidence_script,
    state,
    state_script,
)

EVIDENCE = evidence_script.script(0.3, 60, lean=True)
STATE = state_script.script(60)
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
