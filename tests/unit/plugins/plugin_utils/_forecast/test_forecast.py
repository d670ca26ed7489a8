# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecasts of series: what is a trend, and the bars of docs/forecast.md on fewer traces."""

from __future__ import annotations

import pytest
from forecast import evaluate, recorded, traces

from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast.forecast import forecast, may_end
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point


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


def test_a_series_without_a_capacity_has_no_forecast():
    assert forecast(points(range(10, 30), None)) is None
    assert forecast([]) is None


def test_a_value_beyond_its_capacity_is_used_up_now():
    assert forecast(points(range(92, 102))).seconds == 0


def test_a_few_odd_points_do_not_change_the_rate():
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


def test_a_clock_that_is_adjusted_is_no_restart():
    values = [point._replace(started=point.taken % 3) for point in points(range(10, 30))]
    assert forecast(values).since == 0


def test_a_series_that_has_fallen_by_itself_before_has_no_forecast():
    tooth = list(range(20, 60, 2))
    assert forecast(points(tooth)) is not None
    assert forecast(points(tooth + tooth[:15])) is None
    # A rise to the end of the capacity does not count, nor does one that was ten times as slow.
    high = list(range(57, 97, 2))
    assert forecast(points(high + tooth[:15])) is not None
    slow = [20 + number * 0.2 for number in range(200)]
    assert forecast(points(slow + tooth[:15])) is not None


def test_a_stretch_that_begins_late_is_found():
    found = forecast(points([20.0] * 200 + [20 + number for number in range(1, 31)]))
    assert found.seconds == pytest.approx(50 * 60, rel=0.02)
    assert 190 * 60 < found.since < 215 * 60


@pytest.mark.parametrize("name", [name for name in traces.LEAKS if name.startswith("steady") or "restart" in name])
def test_a_steady_leak_is_forecast_within_a_fifth_at_ten_readings(name):
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
    """Guard against a regression, on the traces that the constants were chosen with.

    `make forecast` judges on others, and on more: one trace that begins with a job has more alarms than all others
    together.
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


@pytest.mark.parametrize(
    ("values", "capacity", "within", "found"),
    [
        ([10, 20, 30], 100, 600, True),
        ([10, 20, 30], 100, 60, False),
        # One point alone may be noise.
        ([30, 20, 30], 100, 600, False),
        ([30, 20, 10], 100, 600, False),
        ([10, 20, 30], None, 600, False),
    ],
)
def test_whether_a_few_points_permit_an_end_in_time(values, capacity, within, found):
    assert may_end(points(values, capacity), within) is found


def test_a_forecast_beyond_what_is_asked_for_is_none():
    series = points(range(10, 20))
    assert forecast(series, within=5000).seconds == pytest.approx(81 * 60)
    assert forecast(series, within=4000) is None
    assert forecast(series, reach=5) is None
