# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a comparison."""

from __future__ import annotations

import json

from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import comparison
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.comparison import Read
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Change

NOON = 1795262400.0
MEMORY = ("memory_used_bytes", "")


def of(boxes, **settings):
    """Return the report's only group."""
    (group,) = comparison.compare([("web", list(boxes))], boxes, **settings)
    assert json.loads(json.dumps(group)) == group
    return group


def test_numbers_have_their_median_and_their_outliers():
    boxes = {f"web{number}": Read({MEMORY: (50 + number) << 20}) for number in range(5)}
    boxes["web9"] = Read({MEMORY: 400 << 20, ("load_per_cpu", ""): 2.5})
    load, memory = of(boxes)["numbers"]
    assert (load["values"], load["median"], load["outliers"]) == ({"web9": 2.5}, 2.5, [])
    assert (memory["metric"], memory["subject"], memory["median"]) == ("memory_used_bytes", "", 52.5 * (1 << 20))
    assert memory["outliers"] == [{"box": "web9", "value": 400 << 20, "score": 156.3}]


def test_the_settings_reach_the_outliers():
    boxes = {f"web{number}": Read({MEMORY: (100 + number) << 20}) for number in range(5)}
    boxes["web9"] = Read({MEMORY: 150 << 20})
    assert len(of(boxes)["numbers"][0]["outliers"]) == 1
    assert of(boxes, floor=90)["numbers"][0]["outliers"] == of(boxes, score=1000)["numbers"][0]["outliers"] == []


def test_differences_say_whether_there_is_a_majority():
    boxes = {"a": Read(state={"kernel": "1"}), "b": Read(state={"kernel": "2"})}
    kernel = {"name": "kernel", "values": [{"value": "1", "boxes": ["a"]}, {"value": "2", "boxes": ["b"]}]}
    assert of(boxes)["differences"] == [{**kernel, "majority": False}]
    kernel["values"] = [{"value": "2", "boxes": ["b", "c"]}, {"value": "1", "boxes": ["a"]}]
    assert of({**boxes, "c": Read(state={"kernel": "2"})})["differences"] == [{**kernel, "majority": True}]
    assert of(boxes, ignored=["ker*"])["differences"] == []


def test_the_same_change_of_several_hosts_is_one():
    upgrade = Change(NOON + 60, "package:openssl", "1", "2")
    boxes = {
        "a": Read(changed=[upgrade]),
        "b": Read(changed=[upgrade._replace(taken=NOON), Change(NOON, "kernel", "5", None)]),
        "c": Read(changed=[]),
    }
    assert of(boxes)["changes"] == [
        {
            "name": "kernel",
            "before": "5",
            "after": None,
            "first": "2026-11-21T12:00:00Z",
            "last": "2026-11-21T12:00:00Z",
            "boxes": ["b"],
        },
        {
            "name": "package:openssl",
            "before": "1",
            "after": "2",
            "first": "2026-11-21T12:00:00Z",
            "last": "2026-11-21T12:01:00Z",
            "boxes": ["a", "b"],
        },
    ]


def test_changes_that_were_not_asked_for_are_not_an_empty_list():
    assert of({"a": Read()})["changes"] is None
    assert of({"a": Read(changed=[])})["changes"] == []


def test_what_is_not_known_is_named():
    boxes = {"a": Read(unread=["units"]), "b": Read(known=NOON)}
    assert of(boxes)["unread"] == [{"box": "a", "parts": ["units"]}]
    assert of(boxes)["known_since"] == [{"box": "b", "time": "2026-11-21T12:00:00Z"}]


def test_hosts_that_were_not_read_are_left_out_and_groups_without_hosts_too():
    groups = comparison.compare([("web", ["a", "gone"]), ("db", ["gone"])], {"a": Read()})
    assert [(group["name"], group["boxes"], group["fewest"]) for group in groups] == [("web", ["a"], 4)]
