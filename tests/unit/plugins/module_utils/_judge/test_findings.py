# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against thresholds, their companions and caps."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text


def held(layer=None, **options):
    found = Findings(thresholds.merge([("test", layer)]))
    found.hold("disk_used_percent", options.pop("value", 96), "/ is nearly full", subject="/", **options)
    return [(finding.severity, finding.threshold) for finding in found.found]


def test_a_level_strikes_where_its_value_reaches_it():
    assert held() == [("critical", 95)]
    assert held(value=94.9) == [("warning", 90)]
    assert held(value=89.9) == []
    assert held(value=None) == []


@pytest.mark.parametrize(
    ("left", "found"), [(None, [("critical", 95)]), (10240, [("critical", 95)]), (10241, [("warning", 90)]), (1e6, [])]
)
def test_a_share_strikes_only_with_its_companion(left, found):
    assert held(left=left) == found


def test_a_share_that_an_operator_sets_holds_as_it_stands():
    assert held({"disk_used_percent": {"critical": 96}}, left=1e6) == [("critical", 96)]
    assert held({"disk_used_percent": {"warning": 80}}, left=1e6) == [("warning", 80)]


def test_unless_its_companion_is_set_as_well():
    layer = {"disk_available_mib": {"critical": 100}, "disk_used_percent": {"critical": 90, "warning": None}}
    assert held(layer, left=100) == [("critical", 90)]
    assert held(layer, left=101) == []


def test_a_companion_alone_moves_the_default():
    assert held({"disk_available_mib": {"critical": 50}}, left=60) == [("warning", 90)]


def test_a_severity_may_be_capped():
    assert held(at_most="warning") == [("warning", 95)]
    assert held(value=91, at_most="warning") == [("warning", 90)]


def test_the_worst_comes_first_and_the_rest_keeps_its_order():
    found = Findings(thresholds.merge([]))
    found.hold("disks_hung", 1, "a")
    found.hold("disks_hung", 1, "b")
    found.hold("root_read_only", 1, "c")
    assert [finding.message for finding in found.sorted()] == ["c", "a", "b"]


def test_what_is_unknown_is_a_question_mark():
    assert (size_text(None), number_text(None), size_text(1 << 30), number_text(12.345)) == ("?", "?", "1.0G", "12.3")
