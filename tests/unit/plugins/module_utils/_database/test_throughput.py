# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on rows per hour."""

from __future__ import annotations

import math
import random

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._database.throughput import (
    is_fewer,
    judge,
    slope,
    tau,
    times,
)

# Pages crawled per hour on the day on which the host died.
SEED = [11671, 9219, 8588, 7098, 2779, 481, 271, 135]


def hours(counts):
    return [{"start": f"hour {number}", "rows": rows} for number, rows in enumerate(counts)]


def verdict(counts, **options):
    return judge(hours(counts), **options)["verdict"]


def test_the_seed_degrades_80_times():
    found = judge(hours(SEED), subject="pages")
    assert found["message"] == (
        "degrading, 80 times slower than its best hour: 135 rows in the latest whole hour, 11671 in the best (hour 0)"
    )
    assert found["times_slower"] == 86.45
    assert found["findings"] == [
        {
            "check": "throughput_times_slower",
            "severity": "critical",
            "subject": "pages",
            "value": 86.45,
            "threshold": 10,
            "unit": "times",
            "message": found["message"],
        }
    ]


@pytest.mark.parametrize(
    ("seen", "expected", "severity"),
    [
        (2, "too few hours", None),
        (3, "steady", None),
        (4, "steady", None),
        (5, "degrading", "warning"),
        (6, "degrading", "critical"),
        (7, "degrading", "critical"),
    ],
)
def test_a_warning_comes_three_hours_before_the_end(seen, expected, severity):
    found = judge(hours(SEED[:seen]))
    assert found["verdict"] == expected
    assert [finding["severity"] for finding in found["findings"]] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([], "no rows"),
        ([0] * 24, "no rows"),
        ([1000] * 24, "steady"),
        ([0] * 16 + SEED, "degrading"),
        # One low hour is an accident; the second is not.
        ([1000] * 10 + [300], "steady"),
        ([1000] * 10 + [300, 310], "degrading"),
        ([5000] + [1000] * 9, "steady"),
        ([1000] * 10 + [0], "stopped"),
        (SEED + [0], "stopped"),
        # With three rows an hour, an hour without any is chance; ten of them are not.
        ([3] * 10 + [0], "steady"),
        ([3] * 10 + [0] * 10, "stopped"),
        # After a restart.
        (SEED + [3000], "recovering"),
        (SEED + [3000, 9000], "steady"),
        (list(range(100, 2500, 100)), "steady"),
    ],
)
def test_verdicts(counts, expected):
    assert verdict(counts) == expected


def test_a_worker_that_stopped_is_critical():
    (finding,) = judge(hours([1000] * 10 + [0]))["findings"]
    assert (finding["severity"], finding["value"], finding["message"][:9]) == ("critical", None, "stopped, ")


def test_a_worker_that_recovers_is_compared_with_its_best_hour():
    assert judge(hours(SEED + [3000]))["message"].startswith("recovering, still 3.8 times slower than its best hour")


def test_the_noun_is_used_in_the_message():
    assert "than its best day" in judge(hours(SEED), noun="day")["message"]


def test_warning_and_critical_are_options():
    assert verdict(SEED[:5], warning=5) == "steady"
    assert verdict(SEED, warning=100, critical=200) == "steady"


@pytest.mark.parametrize(("rate", "spread"), [(5, 1), (50, 1), (1000, 1), (1000, 2), (1000, 5)])
def test_a_rate_that_only_fluctuates_is_steady(rate, spread):
    """The hours scatter by `spread` times as much as by chance alone."""
    dice = random.Random(rate + spread)
    days = [[max(0, round(dice.gauss(rate, spread * math.sqrt(rate)))) for _hour in range(24)] for _day in range(500)]
    assert {verdict(day) for day in days} == {"steady"}


def test_a_rate_that_halves_every_hour_degrades():
    dice = random.Random(1)
    for _case in range(200):
        counts = [round(1000 * dice.lognormvariate(0, 0.2)) for _hour in range(12)]
        for number in range(1, 7):
            counts.append(round(1000 * 0.5**number * dice.lognormvariate(0, 0.2)))
        assert verdict(counts) == "degrading"


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "1"),
        (3.0, "3"),
        (3.49, "3.4"),
        (9.99, "9.9"),
        (10.0, "10"),
        (19.9, "10"),
        (86.45, "80"),
        (100.0, "100"),
        (999.0, "900"),
        (1000.0, "1000"),
    ],
)
def test_times_rounds_down(factor, words):
    assert times(factor) == words
    assert float(times(factor)) <= factor


def test_slope_tau_and_is_fewer():
    assert slope([1]) is None
    assert slope([10, 8, 6, 40, 2]) == -2
    assert (tau([1, 2, 3]), tau([3, 2, 1]), tau([1, 1])) == (1, -1, 0)
    assert (is_fewer(0, 16), is_fewer(0, 17), is_fewer(60, 100), is_fewer(59, 100)) == (False, True, False, True)
