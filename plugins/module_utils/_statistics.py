# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust statistics. Importing `statistics` takes an eighth of the time in which all of health is loaded."""

from __future__ import annotations

from typing import List, Sequence


def median(values: Sequence[float]) -> float:
    """Return the median of at least one value."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def slopes(times: Sequence[float], values: Sequence[float]) -> List[float]:
    """Return the slopes between all pairs of points, in ascending order; pairs at the same time have none.

    Their median is the slope of Theil and Sen, which a few outliers do not move. `times` must ascend.
    """
    return sorted(
        (values[later] - values[earlier]) / (times[later] - times[earlier])
        for later in range(1, len(times))
        for earlier in range(later)
        if times[later] > times[earlier]
    )
