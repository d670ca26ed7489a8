# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's part about the whole fleet."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.spread import Difference
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Change, Kill
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import box_view, fleet_view
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Box, Fleet
from histories import DAY, END


def fleet(*boxes, **more):
    """Return a fleet over a day, and the views of its hosts."""
    found = Fleet(END, END - DAY, END, boxes, more.pop("history", "h.db"), **more)
    return found, [box_view.view(number, box, found) for number, box in enumerate(boxes, 1)]


def verdicts(**places):
    """Return the verdicts of all buckets: ok, but for some places."""
    found = ["ok"] * BUCKETS
    for verdict, numbers in places.items():
        for number in numbers:
            found[number] = verdict
    return tuple(found)


def test_danger_is_counted_by_verdict():
    boxes = [Box("a", "ok", verdicts=verdicts(down=[5])), Box("b", "ok", verdicts=verdicts(warning=[5, 6]))]
    found = fleet_view.danger(fleet(*boxes)[0])
    assert found["most"] == 2
    assert [layer["verdict"] for layer in found["layers"]] == ["down", "warning"]
    assert found["text"] == (
        "Boxes that were not ok over 24 h: at most 2 of 2, around 2026-11-20 12:02 UTC; 0 at the end"
    )


@pytest.mark.parametrize(("history", "places"), [("h.db", {}), (None, {"down": [5]})])
def test_no_danger(history, places):
    assert fleet_view.danger(fleet(Box("a", "ok", verdicts=verdicts(**places)), history=history)[0]) is None


def test_the_work_of_all_hosts_is_added_up():
    series = {("rows_per_hour", "pages"): [Bucket(0, 10, 20, 0), Bucket(1, 30, 30, 0)]}
    (found,) = fleet_view.work(fleet(Box("a", "ok", series=series), Box("b", "ok", series=series))[0])
    assert (found["label"], found["most"], found["last"]) == ("rows an hour", "60", "60")
    assert found["text"] == "rows an hour, all boxes together, over 24 h: from 30 to 60, last 60"
    assert fleet_view.work(fleet(Box("a", "ok"))[0]) == []


def test_lanes_are_the_hosts_with_the_most_kills_first():
    boxes = [
        Box(f"web{number}", "ok", kills=tuple(Kill(END - 60, pid, "ruby") for pid in range(number)))
        for number in range(15)
    ]
    found = fleet_view.lanes(*fleet(*boxes))
    assert (found["kills"], found["boxes"], len(found["shown"]), len(found["more"])) == (105, 14, 12, 2)
    assert found["shown"][0]["text"] == "14 OOM kills on web14, the last at 2026-11-21 10:39 UTC"
    assert found["more"][-1]["text"] == "1 OOM kill on web1, the last at 2026-11-21 10:39 UTC"


def test_kills_without_a_time_are_counted_and_not_drawn():
    (lane,) = fleet_view.lanes(*fleet(Box("web1", "ok", kills=(Kill(None, 1, "ruby"),))))["shown"]
    assert (lane["count"], lane["path"], lane["text"]) == (1, "", "1 OOM kill on web1")


def test_the_same_change_of_several_hosts_is_one_with_the_latest_time():
    upgrade = Change(END - 60, "package:openssl", "1", "2")
    _fleet, boxes = fleet(
        Box("a", "ok", changes=(upgrade, Change(END - 90, "kernel", None, "6"))),
        Box("b", "ok", changes=(upgrade._replace(taken=END - 30),)),
    )
    found = fleet_view.changes(boxes)
    assert [(change["name"], [box["name"] for box in change["boxes"]]) for change in found] == [
        ("package:openssl", ["a", "b"]),
        ("kernel", ["a"]),
    ]
    assert found[0]["seconds"] == END - 30 and found[0]["time"]["iso"] == "2026-11-21T10:39:30Z"


def test_differences_name_the_hosts_and_are_cut():
    found = [Difference(f"n{number}", (("1", ("a", "b")), (None, ("c",)))) for number in range(45)]
    boxes = [Box(name, "ok") for name in "abc"]
    group = ("web", ["a", "b", "c"], found)
    (view,) = fleet_view.differences(*fleet(*boxes, differences=(group,)))
    assert (view["name"], view["boxes"], len(view["shown"]), view["more"]) == ("web", 3, 40, 5)
    first = view["shown"][0]
    assert (first["most"], first["most_count"]) == ("1", 2)
    assert [(other["value"], [box["name"] for box in other["boxes"]]) for other in first["others"]] == [(None, ["c"])]
