# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecasts: what is a trend and what isn't, and the bars that docs/forecast.md speaks of, on fewer traces."""

from __future__ import annotations

import pytest
from forecast import evaluate, recorded, traces

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast.forecast import forecast
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point, Sample


def points(values, capacity=100, interval=60, started=None):
    return [Point(number * interval, value, capacity, started) for number, value in enumerate(values)]


def test_a_straight_line_ends_when_it_is_at_the_capacity():
    found = forecast(points(range(10, 20)))
    assert found.rate == pytest.approx(1 / 60)
    assert found.seconds == pytest.approx(81 * 60)
    assert found.low == found.high == pytest.approx(81 * 60)
    assert (found.since, found.span) == (0, 9 * 60)


@pytest.mark.parametrize(
    "values",
    [
        [50] * 20,
        range(50, 30, -1),
        [50, 51] * 10,
        [30] * 10 + [60] * 10,
        range(10, 17),
        [10 + 40 * (1 - 0.8**number) for number in range(30)],
    ],
    ids=["flat", "falling", "to and fro", "a step", "too few", "levelling off"],
)
def test_no_trend(values):
    assert forecast(points(values)) is None


def test_without_a_capacity_there_is_no_end():
    assert forecast(points(range(10, 30), None)) is None
    assert forecast([]) is None


def test_what_is_beyond_its_capacity_is_used_up():
    assert forecast(points(range(92, 102))).seconds == 0


def test_a_few_odd_points_move_nothing():
    values = [10 + number for number in range(30)]
    values[7], values[19] = 90, 0
    assert forecast(points(values)).seconds == pytest.approx(61 * 60, rel=0.02)


def test_only_the_stretch_since_the_restart_counts():
    before, after = points(range(10, 40), started=0), points(range(5, 13), started=1800)
    moved = [point._replace(taken=point.taken + 1800) for point in after]
    found = forecast(before + moved)
    assert found.since == 1800
    assert found.seconds == pytest.approx(88 * 60)
    assert forecast(before + moved[:-1]) is None


def test_a_clock_that_is_set_right_is_no_restart():
    values = [point._replace(started=point.taken % 3) for point in points(range(10, 30))]
    assert forecast(values).since == 0


def test_what_has_risen_and_fallen_by_itself_is_no_trend():
    tooth = list(range(20, 60, 2))
    assert forecast(points(tooth)) is not None
    assert forecast(points(tooth + tooth[:15])) is None
    # One that was at its end when it fell is no excuse, nor is one that rose ten times as slowly.
    high = list(range(57, 97, 2))
    assert forecast(points(high + tooth[:15])) is not None
    slow = [20 + number * 0.2 for number in range(200)]
    assert forecast(points(slow + tooth[:15])) is not None


def test_the_longest_even_stretch_is_found_where_it_begins_late():
    found = forecast(points([20.0] * 200 + [20 + number for number in range(1, 31)]))
    assert found.seconds == pytest.approx(50 * 60, rel=0.02)
    assert 190 * 60 < found.since < 215 * 60


@pytest.mark.parametrize("name", [name for name in traces.LEAKS if name.startswith("steady") or "restart" in name])
def test_a_steady_leak_is_foretold_within_a_fifth_at_ten_readings(name):
    found = evaluate.accuracy(evaluate.leaks(name, 100), 10)
    assert found.traces >= 95
    assert found.right >= 0.95
    assert found.none == 0


@pytest.mark.parametrize("name", list(traces.LEAKS))
def test_every_leak_is_found_in_time(name):
    found = evaluate.notice(evaluate.leaks(name, 25))
    assert found.warned >= 0.96
    assert found.left >= 0.5


def test_fewer_than_one_alarm_in_a_thousand_readings_is_false(monkeypatch):
    """A guard against getting worse, on the traces that the constants were chosen with: make forecast judges on others, and on more.

    So few traces say little of the true share: a single one that begins with a job has more alarms than all others together.
    """
    monkeypatch.setattr(evaluate, "FIRST_SEED", 0)
    alarms = [evaluate.alarms(evaluate.healthy(name, 1, 600)) for name in traces.HEALTHY]
    assert sum(found.readings for found in alarms) > 15000
    assert sum(found.alarms for found in alarms) * 1000 < sum(found.readings for found in alarms)


@pytest.mark.parametrize("trace", recorded.traces(), ids=lambda trace: trace.name)
def test_recorded_traces(trace):
    alarms = [place for place in range(len(trace.points)) if evaluate.findings(trace, place)]
    if trace.ends is None:
        assert not alarms
        return
    first = trace.points[alarms[0]]
    assert trace.began < first.taken
    assert trace.ends - first.taken > 0.3 * (trace.ends - trace.began)
    found = evaluate.accuracy([trace], 20)
    assert found.right == 1


def foresee(values, metric, subject="", capacity=100 << 20, thresholds=None, interval=60):
    series = points(values, capacity, interval)
    thresholds = judge_thresholds.merge([("here", thresholds or {})])
    sample = Sample(metric, subject, series[-1].value, capacity)
    return trends.foresee(
        {(metric, subject): series[:-1]}, [sample], series[-1].taken, None, thresholds, lambda *_series: series[:-1]
    )


MEGABYTES = [(50 + number) << 20 for number in range(21)]


@pytest.mark.parametrize(
    ("metric", "subject", "message"),
    [
        ("memory_used_bytes", "", "memory exhausted in about 30 minutes"),
        ("slab_unreclaimable_bytes", "", "memory exhausted by the kernel's unreclaimable slab in about 30 minutes"),
        ("fds_allocated", "", "the system out of descriptors in about 30 minutes"),
        ("process_fds", "ruby", "ruby out of descriptors in about 30 minutes"),
        ("worker_rss_bytes", "sidekiq", "sidekiq at the 100M that it may use in about 30 minutes"),
        ("disk_used_bytes", "/", "/ full in about 30 minutes"),
        ("inodes_used", "/srv", "/srv out of inodes in about 30 minutes"),
    ],
)
def test_what_is_foretold_in_words(metric, subject, message):
    (found,) = foresee(MEGABYTES, metric, subject)
    assert found["message"] == message
    assert found["subject"] == (subject or None)
    assert found["rate_per_hour"] == 60 << 20
    assert (found["seconds"], found["since"]) == (1800, "1970-01-01T00:00:00Z")


def test_only_what_comes_before_the_threshold_is_foretold():
    assert foresee(MEGABYTES, "memory_used_bytes", interval=300) == []
    assert foresee(MEGABYTES, "disk_used_bytes", "/", interval=300)
    assert foresee(MEGABYTES, "memory_used_bytes", interval=300, thresholds={"forecast_minutes": {"warning": 200}})
    assert (
        foresee(MEGABYTES, "memory_used_bytes", thresholds={"forecast_minutes": {"warning": None, "critical": None}})
        == []
    )
    assert foresee(MEGABYTES, "load_per_cpu") == []


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((59, 50, 70), "within a minute"),
        ((60, 59, 63), "in about 1 minute"),
        ((2400, 1500, 4200), "in about 40 minutes (25 to 70)"),
        ((9000, 7200, 14400), "in about 2.5 hours (2 to 4)"),
        ((200000, 100000, 900000), "in about 2.3 days (1.2 to 10)"),
    ],
)
def test_times_for_people(times, words):
    assert trends.in_about(*times) == words
