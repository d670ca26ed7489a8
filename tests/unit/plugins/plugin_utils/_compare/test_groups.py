# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups that boxes are compared in."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import groups


def test_each_box_is_in_the_most_specific_group_that_it_shares():
    inventory = [("web_eu", {"w1", "w2"}), ("web_us", {"w3"}), ("web", {"w1", "w2", "w3", "w4"}), ("db", {"d1"})]
    assert groups.split(inventory, ["w1", "w2", "w3", "w4", "d1", "x"]) == [
        ("web_eu", ["w1", "w2"]),
        ("web", ["w3", "w4"]),
        ("others", ["d1", "x"]),
    ]
    assert groups.split([], ["a", "b"]) == [("all", ["a", "b"])]


def test_groups_that_were_asked_for_are_all_there_is():
    assert groups.split([("db", {"d1"}), ("web", {"d1", "w1"})], ["w1", "d1", "x"], asked=True) == [
        ("db", ["d1"]),
        ("web", ["w1"]),
    ]
