# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups that hosts are compared in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import groups


def test_each_host_is_in_the_most_specific_group_that_it_shares():
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


def inventory(**groups):
    """Return an inventory of groups, each with its depth and its hosts."""
    return SimpleNamespace(
        groups={
            name: SimpleNamespace(
                name=name, depth=depth, get_hosts=lambda hosts=hosts: [SimpleNamespace(name=host) for host in hosts]
            )
            for name, (depth, hosts) in groups.items()
        }
    )


FLEET = inventory(all=(0, ["a", "b", "c"]), ungrouped=(1, []), web=(1, ["a", "b", "c"]), web_eu=(2, ["a", "b"]))


def test_the_deepest_groups_of_an_inventory_come_first():
    assert groups.of_inventory(FLEET, ["a", "b", "c"]) == [("web_eu", ["a", "b"]), ("others", ["c"])]
    assert groups.of_inventory(FLEET, ["a", "b", "c"], ["web"]) == [("web", ["a", "b", "c"])]


def test_a_group_that_does_not_exist_is_an_error_with_those_that_do():
    with pytest.raises(SettingsError) as caught:
        groups.of_inventory(FLEET, ["a"], ["db"])
    assert str(caught.value) == "groups: the inventory has no group 'db'; it has web, web_eu"
    with pytest.raises(SettingsError, match="no group 'db'; it has no groups"):
        groups.of_inventory(inventory(all=(0, [])), ["a"], ["db"])
