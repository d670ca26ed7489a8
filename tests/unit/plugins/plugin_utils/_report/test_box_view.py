# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host as the page shows it."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Change, Kill, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import box_view
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Box, Fleet
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.series import MEMORY
from histories import DAY, END, HOUR

FORECAST = {
    "check": "disk_forecast_minutes",
    "metric": "disk_used_bytes",
    "subject": "/",
    "value": 90,
    "capacity": 100,
    "rate_per_hour": 5,
    "seconds": 7200,
    "seconds_low": 3600,
    "seconds_high": 14400,
    "since": "2026-11-20T00:00:00Z",
    "message": "/ full in about 2 hours",
}


def view(history="history.db", **box):
    """Return the view of a host in a report over a day."""
    box = Box("web1", box.pop("verdict", "ok"), **box)
    return box_view.view(3, box, Fleet(END, END - DAY, END, (box,), history))


def buckets(*values, capacity=None):
    return [Bucket(number, value, value, END - DAY + 900 * number, capacity) for number, value in enumerate(values)]


def test_a_host_without_readings():
    found = view(verdict="unknown")
    assert (found["id"], found["number"], found["name"], found["read"], found["strip_text"]) == (
        "b3",
        3,
        "web1",
        None,
        "",
    )
    assert not any(found[key] for key in ("memory", "worker", "disk", "spark", "throughput", "forecast", "pictures"))


@pytest.mark.parametrize(
    ("sample", "share"),
    [
        ((512 << 20, 1 << 30), {"share": "50 %", "text": "512M of 1.0G", "subject": None, "sort": 50.0, "filled": 50}),
        ((2 << 30, 1 << 30), {"share": "200 %", "text": "2.0G of 1.0G", "subject": None, "sort": 200.0, "filled": 100}),
        ((1 << 30, None), {"share": "", "text": "1.0G", "subject": None, "sort": None, "filled": None}),
    ],
)
def test_a_share(sample, share):
    assert view(samples={MEMORY: Sample(*MEMORY, *sample)})["memory"] == share


def test_the_fullest_disk_is_shown():
    samples = [Sample("disk_used_bytes", mount, used, 100) for mount, used in (("/", 20), ("/data", 90), ("/x", 5))]
    found = view(samples={(sample.metric, sample.subject): sample for sample in samples})
    assert (found["disk"]["subject"], found["disk"]["share"]) == ("/data", "90 %")


def test_long_lists_are_cut_and_counted():
    reason = {"severity": "warning", "message": "m"}
    found = view(
        findings=(reason,) * 25,
        kills=tuple(Kill(END - 100 + number, number, "ruby") for number in range(30)),
        changes=tuple(Change(END - 100 + number, f"n{number}", None, "1") for number in range(50)),
    )
    assert (len(found["findings"]), found["more_findings"]) == (20, 5)
    assert (len(found["kill_list"]), found["kills"], found["kill_list"][0]["pid"]) == (20, 30, 29)
    assert (len(found["changes"]), found["more_changes"], found["changes"][0]["name"]) == (40, 10, "n49")


def test_a_kill_of_which_little_is_known():
    (kill,) = view(kills=(Kill(None, None, None),))["kill_list"]
    assert kill == {"time": None, "process": "?", "pid": None, "rss": "?", "killer": "kernel", "unit": "-"}


def test_a_throughput_that_has_fallen():
    found = view(series={("rows_per_hour", "pages"): buckets(100, 80, 10)})["throughput"]
    assert (found["text"], found["best"], found["slower"]) == ("10", "100", "1/10 of its best")
    assert found["spark"]["text"] == "rows an hour of pages: from 10 to 100 %, last 10 %"
    assert view(series={("rows_per_hour", ""): buckets(100, 0)})["throughput"]["slower"] == "none now"
    assert view(series={("rows_per_hour", ""): buckets(100, 60)})["throughput"]["slower"] == ""


def test_pictures_and_calm_series():
    series = {
        MEMORY: buckets(50, 60, capacity=100),
        ("swap_used_bytes", ""): buckets(1, capacity=100),
        ("load_per_cpu", ""): buckets(2, 9),
    }
    found = view(series=series, kills=(Kill(END - HOUR, 1, "ruby"), Kill(None, 2, "ruby")))
    assert [picture["label"] for picture in found["pictures"]] == ["memory", "load per CPU"]
    assert found["calm"] == ["swap"]
    memory, load = found["pictures"]
    assert (memory["limit"], memory["share"], memory["kills"]) == ("100B", "60 %", "M92 0v44")
    assert memory["text"] == "memory over 24 h: from 50 to 60 %, last 60 %"
    assert (load["limit"], load["share"], load["kills"], load["range"]) == (None, "", "", "2 to 9")


def test_a_forecast_has_the_time_and_leads_back_to_its_host():
    found = view(forecasts=(FORECAST,), read=END - HOUR)
    assert found["forecast"] is found["forecasts"][0]
    assert found["forecast"]["box"] is found
    assert found["forecast"]["soon"] == "in 2 h" and found["forecast"]["between"] == "60 min to 4 h"
    assert found["forecast"]["at"]["iso"] == "2026-11-21T11:40:00Z"
    assert found["forecast"]["severity"] == "warning"


@pytest.mark.parametrize(
    ("since", "before", "history", "lasting"),
    [
        (END - 2 * HOUR, "warning", "h.db", {"text": "for 2 h", "before": "warning"}),
        (END - 2 * HOUR, None, "h.db", {"text": "for 2 h or more", "before": None}),
        (END - 2 * HOUR, None, None, None),
        (None, None, "h.db", None),
    ],
)
def test_how_long_a_verdict_has_lasted(since, before, history, lasting):
    assert view(history, since=since, before=before)["lasting"] == lasting


def test_the_strip_of_verdicts():
    verdicts = ("ok",) * 72 + ("down",) * 24
    found = view(verdicts=verdicts)
    assert found["strip"] == [("down", "M72 0h24v1h-24z"), ("ok", "M0 0h72v1h-72z")]
    assert found["strip_text"] == "verdicts over 24 h: down 25 %, ok 75 % of the time that was read"


@pytest.mark.parametrize(
    ("back", "number"), [(0, BUCKETS - 1), (DAY, 0), (DAY / 2, BUCKETS // 2), (5 * DAY, 0), (-9, 95)]
)
def test_the_bucket_of_a_time(back, number):
    assert box_view.place(END - back, Fleet(END, END - DAY, END, ())) == number
