# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the report."""

from __future__ import annotations

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series, svg
from histories import DAY, END, HOUR


def buckets(*pairs):
    return [Bucket(number, low, high, 60.0 * number) for number, (low, high) in enumerate(pairs)]


def test_a_line_goes_through_the_lowest_and_the_highest_value():
    assert svg.line(buckets((0, 10), (5, 5), (10, 0)), 10, 10, 1) == "M0 10h0v-10l1 5l1-5v10"


def test_a_line_is_interrupted_where_nothing_was_read():
    points = [Bucket(0, 1, 1, 0.0), Bucket(1, 1, 1, 60.0), Bucket(9, 1, 1, 540.0)]
    assert svg.line(points, 10, 1, series.gap(points[:2])) == "M0 0h0h1M9 0h0"
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
def test_the_scale_has_round_times(length, first, count):
    marks = svg.scale(END - length, END, 8)
    assert (marks[0][1], len(marks)) == (first, count)
    assert all(0 <= float(place) <= 100 for place, _text in marks)


def test_ticks_are_sorted_and_each_is_there_once():
    assert svg.ticks([5, 2, 5], 7) == "M2 0v7M5 0v7"
    assert svg.ticks([], 7) == svg.line([], 7, 1, 1) == svg.spans([], 7, "ok") == ""


def test_a_scale_of_years_has_no_more_marks_than_asked():
    assert 2 <= len(svg.scale(END - 3 * 366 * DAY, END, 8)) <= 8
