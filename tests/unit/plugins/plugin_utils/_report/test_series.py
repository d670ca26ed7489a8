# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The series of a history: names, numbers and which of them get a picture."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series


def buckets(*values, capacity=None):
    return [Bucket(number, value, value, 60.0 * number, capacity) for number, value in enumerate(values)]


def test_a_recorded_rate_is_preferred_to_its_count():
    assert series.wanted(
        ["sidekiq_processed", "sidekiq_processed_per_hour", "sidekiq_failed", "processes", "rows_per_hour"]
    ) == ["sidekiq_processed_per_hour", "sidekiq_failed", "rows_per_hour"]
    assert series.label("sidekiq_processed_per_hour", "") == series.label("sidekiq_processed", "") == "jobs an hour"


@pytest.mark.parametrize(
    ("key", "label"),
    [
        (("memory_used_bytes", ""), "memory"),
        (("disk_used_bytes", "/data"), "space of /data"),
        (("rows_per_hour", ""), "rows an hour"),
        (("rows_per_hour", "pages"), "rows an hour of pages"),
        (("sidekiq_failed_per_hour", ""), "failed jobs an hour"),
    ],
)
def test_labels(key, label):
    assert series.label(*key) == label


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("memory_used_bytes", 5 << 30, "5.0G"),
        ("steal_percent", 2.345, "2.3 %"),
        ("rows_per_hour", 12345.6, "12,346"),
        ("rows_per_hour", 3.0, "3"),
        ("load_per_cpu", 0.123, "0.12"),
        ("load_per_cpu", None, "?"),
    ],
)
def test_numbers_for_people(metric, value, text):
    assert series.number(metric, value) == text


def test_rates_are_per_hour_and_leave_out_a_reset():
    found = series.rates(buckets(0, 60, 120, 5, 65))
    assert [(bucket.number, bucket.low, bucket.high) for bucket in found] == [
        (1, 3600, 3600),
        (2, 3600, 3600),
        (4, 3600, 3600),
    ]
    assert series.rates([]) == series.rates(buckets(1)) == []


def test_merged_buckets_keep_the_lowest_and_the_highest_value():
    found = series.merged(buckets(5, 1, 9), 2)
    assert [(bucket.number, bucket.low, bucket.high) for bucket in found] == [(0, 1, 5), (1, 9, 9)]


@pytest.mark.parametrize(
    ("metric", "values", "capacity", "calm"),
    [
        ("memory_used_bytes", [0], 100, False),
        ("disk_used_bytes", [59], 100, True),
        ("disk_used_bytes", [10, 61], 100, False),
        ("load_per_cpu", [0.9], None, True),
        ("load_per_cpu", [1.1], None, False),
        ("sidekiq_failed", [0, 0], None, True),
        ("sidekiq_failed", [0, 1], None, False),
        ("rows_per_hour", [0], None, False),
    ],
)
def test_what_is_calm(metric, values, capacity, calm):
    assert series.is_calm(metric, buckets(*values, capacity=capacity)) is calm


def test_pictures_are_in_order():
    keys = [("load_per_cpu", ""), ("else", ""), ("rows_per_hour", ""), series.MEMORY]
    assert sorted(keys, key=series.order) == [series.MEMORY, ("rows_per_hour", ""), ("load_per_cpu", ""), ("else", "")]


def test_gaps_restarts_and_capacities():
    assert series.gap([]) == series.gap(buckets(1)) == 1
    assert series.gap(buckets(1, 2, 3)) == 3
    started = [bucket._replace(started=start) for bucket, start in zip(buckets(1, 2, 3, 4), (None, 10, 100, 130))]
    assert series.restarts(started) == [2]
    assert series.capacity(buckets(1)) is None
    assert series.capacity([*buckets(1, capacity=5), *buckets(1, capacity=7)]) == 7
