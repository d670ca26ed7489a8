# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import statistics

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _statistics


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_the_median_is_that_of_the_standard_library(values):
    assert _statistics.median(values) == statistics.median(values)


def test_the_median_of_nothing_is_an_error():
    with pytest.raises(IndexError):
        _statistics.median([])


def test_the_slopes_of_all_pairs_ascend():
    assert _statistics.slopes([0, 1, 3], [0, 2, 0]) == [-1, 0, 2]


def test_an_outlier_does_not_move_the_median_slope():
    values = [10 * number for number in range(9)]
    values[4] = 100000
    assert _statistics.median(_statistics.slopes(range(9), values)) == 10


@pytest.mark.parametrize(("times", "values"), [([], []), ([1], [5]), ([1, 1], [5, 6])])
def test_points_without_two_times_have_no_slope(times, values):
    assert _statistics.slopes(times, values) == []
