# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report without a browser: what is gathered, what is drawn, and that the same is always the same."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Kill, Reading, Sample
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import (
    gather as report_gather,
    page as report_page,
    series as report_series,
    svg,
)

END = 1795257600.0
HOUR = 3600
FINDING = {
    "check": "disk_used_percent",
    "severity": "warning",
    "subject": "/",
    "value": 91,
    "threshold": 90,
    "unit": "%",
    "message": "/ is 91 % full, 3.6G left",
}


@pytest.fixture
def history(tmp_path):
    with History(tmp_path / "history.db", create=True, days=None) as opened:
        yield opened


def record(history, box, verdicts, end=END, step=HOUR, **reading):
    """Readings of health up to V(end), one a V(step)."""
    for back, verdict in enumerate(reversed(verdicts)):
        history.record(
            Reading(box, "health", taken=end - back * step, verdict=verdict, booted=END - 30 * 86400, **reading)
        )


def gather(history, names, fresh=None, made=END, days=7, groups=None):
    return report_gather.gather(names, fresh or {}, history, made, days, groups)


def buckets(*pairs):
    return [Bucket(number, low, high, 60.0 * number) for number, (low, high) in enumerate(pairs)]


# What is gathered


def test_the_last_reading_counts_and_the_worst_box_comes_first(history):
    record(history, "web10", ["ok", "ok"])
    record(history, "web9", ["critical", "ok"])
    record(history, "db", ["ok", "warning"], findings=[FINDING])
    record(history, "gone", ["ok", "down"])
    fleet = gather(history, ["web10", "db", "gone", "web9", "never"])
    assert [(box.name, box.verdict) for box in fleet.boxes] == [
        ("gone", "down"),
        ("never", "unknown"),
        ("db", "warning"),
        ("web9", "ok"),
        ("web10", "ok"),
    ]
    assert [finding["message"] for finding in fleet.boxes[2].findings] == [FINDING["message"]]
    assert fleet.boxes[1].findings[0]["message"] == "nothing has been read of it"


def test_it_tells_since_when_a_verdict_holds_and_what_was_before(history):
    record(history, "web", ["ok", "ok", "warning", "critical", "critical", "critical"])
    (box,) = gather(history, ["web"]).boxes
    assert (box.since, box.before) == (END - 2 * HOUR, "warning")
    record(history, "calm", ["ok"] * 3)
    (calm,) = gather(history, ["calm"]).boxes
    assert (calm.since, calm.before) == (END - 2 * HOUR, None)


def test_a_box_that_was_left_out_is_not_what_it_was(history):
    record(history, "asked", ["ok"] * 10)
    record(history, "left-out", ["ok"] * 6, end=END - 4 * HOUR)
    record(history, "twice-a-day", ["ok"] * 4, end=END - 12 * HOUR, step=12 * HOUR)
    found = {box.name: box for box in gather(history, ["asked", "left-out", "twice-a-day"]).boxes}
    assert {name: box.verdict for name, box in found.items()} == {
        "asked": "ok",
        "left-out": "unknown",
        "twice-a-day": "ok",
    }
    assert found["left-out"].findings[0]["message"] == "last read 4 h before the others; it was ok then"


def test_what_health_has_just_said_counts_more_than_the_history(history):
    record(history, "web", ["ok", "ok"], samples=[Sample("memory_used_bytes", "", 5, 10)])
    (box,) = gather(
        history,
        ["web"],
        {"web": {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host"}},
    ).boxes
    assert (box.verdict, box.findings[0]["message"]) == ("down", "No route to host")
    # What was read of it last is better than nothing.
    assert box.samples["memory_used_bytes", ""].value == 5
    (box,) = gather(history, ["web"], {"web": {"failed": True, "msg": "it answered nonsense"}}).boxes
    assert (box.verdict, box.findings[0]["message"]) == ("unknown", "it answered nonsense")


def test_what_other_sources_found_makes_a_box_no_better(history):
    record(history, "slow", ["ok", "ok"])
    slow = {**FINDING, "severity": "critical", "message": "80 times slower than its best hour"}
    history.record(Reading("slow", "throughput_info", taken=END - 2 * HOUR, findings=[slow, slow]))
    history.record(Reading("slow", "throughput_info", taken=END - HOUR, findings=[slow]))
    record(history, "was-slow", ["ok", "ok"])
    history.record(Reading("was-slow", "throughput_info", taken=END - 2 * HOUR, findings=[slow]))
    history.record(Reading("was-slow", "throughput_info", taken=END - HOUR))
    first, second = gather(history, ["was-slow", "slow"]).boxes
    assert (first.name, first.verdict, [finding["message"] for finding in first.findings]) == (
        "slow",
        "critical",
        [slow["message"]],
    )
    assert (second.verdict, second.findings) == ("ok", ())


def test_a_kill_that_two_readings_tell_of_is_one(history):
    record(history, "web", ["ok"], kills=[Kill(END - 500, 7, "ruby"), Kill(END - 400, 8, "ruby")])
    assert report_gather._united(
        [Kill(END - 500, 7, "ruby")], [Kill(END - 498, 7, "ruby"), Kill(END - 498, 9, "ruby")]
    ) == [Kill(END - 500, 7, "ruby"), Kill(END - 498, 9, "ruby")]
    (box,) = gather(history, ["web"]).boxes
    assert [kill.pid for kill in box.kills] == [7, 8]


def test_the_peaks_of_a_sawtooth_stay(history):
    for number in range(600):
        value = 95 if number % 50 == 49 else 20 + number % 50
        history.record(
            Reading(
                "web",
                "health",
                taken=END - (600 - number) * 300,
                verdict="ok",
                samples=[Sample("memory_used_bytes", "", value, 100)],
            )
        )
    (box,) = gather(history, ["web"]).boxes
    found = box.series["memory_used_bytes", ""]
    assert len(found) == report_gather.BUCKETS
    assert sum(bucket.high == 95 for bucket in found) == 12
    assert min(bucket.low for bucket in found) == 20


def test_a_count_becomes_a_rate_and_a_restarted_count_none(history):
    for number, count in enumerate([0, 100, 200, 300, 10, 110, 210]):
        history.record(
            Reading(
                "web", "sidekiq_info", taken=END - (6 - number) * HOUR, samples=[Sample("sidekiq_processed", "", count)]
            )
        )
    (box,) = gather(history, ["web"], made=END).boxes
    rates = [round(bucket.high) for bucket in box.series["sidekiq_processed", ""]]
    assert rates == [100, 100, 100, 100, 100]


def test_a_recorded_rate_is_preferred_to_its_count():
    assert report_series.wanted(
        ["sidekiq_processed", "sidekiq_processed_per_hour", "sidekiq_failed", "processes", "rows_per_hour"]
    ) == ["sidekiq_processed_per_hour", "sidekiq_failed", "rows_per_hour"]
    assert (
        report_series.label("sidekiq_processed_per_hour", "")
        == report_series.label("sidekiq_processed", "")
        == "jobs an hour"
    )


def test_what_changed_and_what_differs(history):
    for box, kernel in (("a", "6.1"), ("b", "6.1"), ("c", "6.1")):
        record(history, box, ["ok", "ok"])
        history.record(Reading(box, "state_info", taken=END - 5 * HOUR, state={"kernel": kernel}))
    history.record(Reading("c", "state_info", taken=END - HOUR, state={"kernel": "6.12"}))
    fleet = gather(history, ["a", "b", "c"], groups=[("web", ["a", "b", "c"])])
    ((name, members, (difference,)),) = fleet.differences
    assert (name, members, difference.values) == ("web", ["a", "b", "c"], (("6.1", ("a", "b")), ("6.12", ("c",))))
    assert [box.changes for box in fleet.boxes if box.name == "c"] == [((END - HOUR, "kernel", "6.1", "6.12"),)]
    (row,) = report_page.view(fleet)["differences"][0]["shown"]
    assert (row["most"], row["most_count"], row["others"][0]["value"]) == ("6.1", 2, "6.12")


def test_without_a_history_there_is_the_present(tmp_path):
    fleet = gather(None, ["web"], {"web": {"unreachable": True, "msg": "No route to host"}})
    assert (fleet.history, fleet.boxes[0].verdict) == (None, "down")
    assert "There is no history" in report_page.render(fleet)


# What is drawn


def test_a_line_goes_through_the_least_and_the_most():
    assert svg.line(buckets((0, 10), (5, 5), (10, 0)), 10, 10, 1) == "M0 10h0v-10l1 5l1-5v10"


def test_a_line_is_interrupted_where_nothing_was_read():
    points = [Bucket(0, 1, 1, 0.0), Bucket(1, 1, 1, 60.0), Bucket(9, 1, 1, 540.0)]
    assert svg.line(points, 10, 1, report_series.gap(points[:2])) == "M0 0h0h1M9 0h0"
    assert svg.line(points, 10, 1, 100) == "M0 0h0h1h8"


def test_values_beyond_the_edge_stay_in_the_picture():
    assert svg.line(buckets((-5, 20)), 10, 10, 1) == "M0 10h0v-10"
    assert svg.line(buckets((1, 1)), 10, 0, 1) == "M0 10h0"


def test_spans_and_steps():
    assert svg.spans(["ok", "ok", None, "ok"], 1, "ok") == "M0 0h2v1h-2zM3 0h1v1h-1z"
    assert svg.steps([0, 0, 0], [0, 1, 1], 10, 1) == "M0 10V10H1V0H3V10H0Z"
    assert svg.steps([0, 0], [0, 0], 10, 1) == ""


@pytest.mark.parametrize(
    ("length", "first", "count"),
    [(HOUR, "09:50", 6), (86400, "12:00", 8), (7 * 86400, "Sun 15", 7), (30 * 86400, "Mon 26", 4)],
)
def test_the_scale_names_times_that_people_would(length, first, count):
    marks = svg.scale(END - length, END, 8)
    assert (marks[0][1], len(marks)) == (first, count)
    assert all(0 <= float(place) <= 100 for place, _text in marks)


# The page


def test_the_same_fleet_is_the_same_page(history):
    for box in ("b", "a", "c"):
        record(
            history,
            box,
            ["ok", "warning"],
            findings=[FINDING],
            samples=[Sample("memory_used_bytes", "", 5, 10)],
            state={"kernel": box},
        )
    pages = {report_page.render(gather(history, names)) for names in (["a", "b", "c"], ["c", "b", "a", "a"])}
    assert len(pages) == 1


def test_only_the_page_s_own_script_and_style_may_run(history):
    record(history, "web", ["ok"])
    page = report_page.render(gather(history, ["web"]))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1).replace("&#39;", "'")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not re.search(r"""(src|href)=["'](?!#|data:,)""", page)
    assert " style=" not in page


def test_numbers_that_are_none_do_no_harm(history):
    record(
        history,
        "odd",
        ["ok"] * 3,
        samples=[
            Sample("memory_used_bytes", "", float("inf"), 10),
            Sample("disk_used_bytes", "/", 1, 0),
            Sample("worker_rss_bytes", "w", 5, None),
            Sample("swap_used_bytes", "", -1, 10),
            Sample("load_per_cpu", "", 1e300),
        ],
        kills=[Kill(None, None, None, None), Kill(1e18, 1, "x")],
    )
    page = report_page.render(gather(history, ["odd"]))
    assert "inf" not in re.sub("<(style|script)>.*?</", "", page, flags=re.DOTALL).replace("information", "")
