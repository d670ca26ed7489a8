# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test that a container does not report kills of other containers on the same kernel."""

from __future__ import annotations

testinfra_hosts = ["ansible://facts_plain", "ansible://facts_ok"]


def test_no_box_reports_the_kill_of_another(facts, health):
    assert facts("oom")["events"] == []
    answer = health()
    assert answer["oom_kills"] in (0, [], None)
    assert "oom_kills" not in {finding["check"] for finding in answer["findings"]}
