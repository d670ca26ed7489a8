# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecasts of a host's resources, in words."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds as judge_thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point, Sample


def points(values, capacity, interval):
    return [Point(number * interval, value, capacity) for number, value in enumerate(values)]


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
def test_a_forecast_in_words(metric, subject, message):
    (found,) = foresee(MEGABYTES, metric, subject)
    assert found["message"] == message
    assert found["subject"] == (subject or None)
    assert found["rate_per_hour"] == 60 << 20
    assert (found["seconds"], found["since"]) == (1800, "1970-01-01T00:00:00Z")


def test_only_what_comes_before_the_threshold_is_forecast():
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


def test_all_points_are_read_only_if_the_few_permit_an_end_in_time():
    def whole(*_series):
        raise AssertionError("the points were read")

    few = points([50 << 20] * 8, 100 << 20, 60)
    sample = Sample("memory_used_bytes", "", 50 << 20, 100 << 20)
    past = {("memory_used_bytes", ""): few}
    assert trends.foresee(past, [sample], 480, None, judge_thresholds.defaults(), whole) == []
    assert trends.foresee({}, [sample], 480, None, judge_thresholds.defaults(), whole) == []


def test_the_soonest_end_is_first():
    series = points(MEGABYTES, 100 << 20, 60)
    samples = [Sample(metric, "", MEGABYTES[-1], 100 << 20) for metric in ("memory_used_bytes", "fds_allocated")]
    samples[0] = samples[0]._replace(capacity=110 << 20)
    past = {(sample.metric, ""): series[:-1] for sample in samples}
    thresholds = judge_thresholds.defaults()
    found = trends.foresee(past, samples, series[-1].taken, None, thresholds, lambda *_series: series[:-1])
    assert [one["metric"] for one in found] == ["fds_allocated", "memory_used_bytes"]


def test_horizons_are_the_furthest_threshold_of_each_metric():
    found = trends.horizons({**judge_thresholds.defaults(), "forecast_minutes": {"warning": None, "critical": None}})
    assert found == {"disk_used_bytes": 1440 * 60, "inodes_used": 1440 * 60}
