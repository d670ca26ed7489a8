# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet of a report: its hosts in order, and what differs between them."""

from __future__ import annotations

import time

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import page
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.gather import gather
from histories import DAY, END, FINDING, HOUR, record_verdicts


def of(history, names, fresh=None, made=END, groups=None):
    """Return the fleet of a report over seven days."""
    return gather(names, fresh or {}, history, made, 7, groups)


def test_the_last_reading_counts_and_the_worst_host_comes_first(history):
    record_verdicts(history, "web10", ["ok", "ok"])
    record_verdicts(history, "web9", ["critical", "ok"])
    record_verdicts(history, "db", ["ok", "warning"], findings=[FINDING])
    record_verdicts(history, "gone", ["ok", "down"])
    fleet = of(history, ["web10", "db", "gone", "web9", "never"])
    assert [(box.name, box.verdict) for box in fleet.boxes] == [
        ("gone", "down"),
        ("never", "unknown"),
        ("db", "warning"),
        ("web9", "ok"),
        ("web10", "ok"),
    ]
    assert [finding["message"] for finding in fleet.boxes[2].findings] == [FINDING["message"]]
    assert fleet.boxes[1].findings[0]["message"] == "it was never read"


def test_what_changed_and_what_differs(history):
    for box, kernel in (("a", "6.1"), ("b", "6.1"), ("c", "6.1")):
        record_verdicts(history, box, ["ok", "ok"])
        history.record(Reading(box, "state_info", taken=END - 5 * HOUR, state={"kernel": kernel}))
    history.record(Reading("c", "state_info", taken=END - HOUR, state={"kernel": "6.12"}))
    fleet = of(history, ["a", "b", "c"], groups=[("web", ["a", "b", "c"])])
    ((name, members, (difference,)),) = fleet.differences
    assert (name, members, difference.values) == ("web", ["a", "b", "c"], (("6.1", ("a", "b")), ("6.12", ("c",))))
    assert [box.changes for box in fleet.boxes if box.name == "c"] == [((END - HOUR, "kernel", "6.1", "6.12"),)]


def test_without_a_history_there_are_the_fresh_results(tmp_path):
    fleet = of(None, ["web"], {"web": {"unreachable": True, "msg": "No route to host"}})
    assert (fleet.history, fleet.boxes[0].verdict) == (None, "down")
    assert "There is no history" in page.render(fleet)


def test_readings_of_the_future_are_left_out_and_counted(history, monkeypatch):
    record_verdicts(history, "web", ["ok"], samples=[Sample("memory_used_bytes", "", 5, 10)])
    ahead = time.time() + 10 * DAY
    history.record(Reading("web", "health", ahead, "critical", samples=[Sample("memory_used_bytes", "", 9, 10)]))
    history.record(Reading("web", "state_info", ahead, state={"kernel": "future"}))
    fleet = of(history, ["web"])
    (box,) = fleet.boxes
    assert (box.verdict, box.read, box.samples["memory_used_bytes", ""].value) == ("ok", END, 5)
    assert (box.state, box.changes, fleet.newest, fleet.ahead) == ({}, (), END, 2)
    assert "2 readings have a time in the future and are left out" in page.render(fleet)
