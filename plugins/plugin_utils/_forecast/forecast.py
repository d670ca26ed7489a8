# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast when a resource will be used up if it grows on as it does.

The rate is the estimator of Theil and Sen: the median of the slopes of all pairs of points, which a few odd points do
not change. Ranks further out give its interval, as in Sen's paper. Several stretches since the last restart are tried,
and the one with the most certain rate is used, among those that have grown evenly to their end. A series that rises
more and more slowly levels off, and has no forecast. A series that has risen like this before and then fallen by itself
has none either, such as the heap of a language with garbage collection: it may fall again.

docs/forecast.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._statistics import median, slopes
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point

# Growth and noise cannot be told apart with fewer points than these.
LEAST_POINTS = 8
# The pairs of 40 points take a millisecond. More points are combined into 40 groups.
_MOST_POINTS = 40
# Clocks are adjusted now and then, which moves the time of a start.
_SAME_START_SECONDS = 60
# The least doubt about a rate, as a share of the growth: points may lie along a line by accident.
_UNSEEN = 0.01
# The interval's standard deviations on either side.
_DEVIATIONS = 2.58
# The growth must be this many times the points' distance from the line,
_ABOVE_NOISE = 3
# and the rate of each half of the stretch must be within these multiples of the whole stretch's rate.
_EVEN = (0.5, 1.8)
# A rough estimate of a rate may be wrong by this factor.
_ROUGHLY = 3
# A forecast looks at most this many times as far ahead as its stretch is long.
REACH = 20
# An earlier rise is like the current one if it had these shares of its height and of its rate,
_LIKE_HEIGHT, _LIKE_RATE = 0.7, 0.4
# and fell by this share of its height, from below this share of the capacity. From above it, the process was at its
# end.
_FELL, _END = 0.5, 0.9


class Forecast(NamedTuple):
    """A forecast of a series.

    `rate` is per second. `seconds`, with `low` and `high` as its interval, counts from the last point on. `since` is
    when the stretch began, in seconds since 1970, and `span` its length in seconds.
    """

    rate: float
    seconds: float
    low: float
    high: float
    since: float
    span: float


def forecast(points: Sequence[Point], within: float | None = None, reach: float = REACH) -> Forecast | None:
    """Return the forecast of a series that ends now, None if there is no trend.

    `points` are oldest first. A forecast beyond `within` seconds is not wanted, which saves most of the work; neither
    is one beyond `reach` times the length of the stretch.
    """
    if not points or not points[-1].capacity:
        return None
    capacity = points[-1].capacity
    stretch = _since_restart(points)
    fits = []
    for length in _lengths(len(stretch)):
        tail = stretch[-length:]
        if within is None or _may_end(tail, capacity, _ROUGHLY * within):
            fits += _fit(tail)
    if not fits:
        return None
    fit = min(fits, key=lambda fit: fit.doubt)
    left = max(0.0, capacity - fit.upper)
    found = Forecast(
        fit.rate,
        left / fit.rate,
        max(0.0, capacity - fit.top) / fit.high,
        max(0.0, capacity - fit.level) / fit.low,
        fit.since,
        fit.span,
    )
    if left > reach * fit.span * fit.rate or (within is not None and found.seconds > within):
        return None
    if _levels_off(stretch, fit, left) or _happened_before(points, fit, capacity):
        return None
    return found


class _Fit(NamedTuple):
    """A line through the last `length` points.

    The interval of its `rate` is from `low` to `high`. At its end, the line has the value `level`, nine of ten points
    are below `upper`, and all are below `top`. `doubt` compares lines: the lower, the more certain is the rate.
    """

    rate: float
    low: float
    high: float
    level: float
    upper: float
    top: float
    doubt: float
    since: float
    span: float
    length: int


def may_end(points: Sequence[Point], within: float) -> bool:
    """Return whether a few points of a series permit an end in `within` seconds, so it is worth reading all points.

    Growth shows against most of the points, so two are asked for; a single one may be noise.
    """
    now = points[-1]
    if not now.capacity:
        return False
    growing = sum(
        now.value > point.value
        and (now.capacity - now.value) * (now.taken - point.taken) <= _ROUGHLY * within * (now.value - point.value)
        for point in points[:-1]
    )
    return growing > 1


def _since_restart(points: Sequence[Point]) -> Sequence[Point]:
    for number in range(len(points) - 1, -1, -1):
        if _restarted(points[number], points[-1]):
            return points[number + 1 :]
    return points


def _lengths(count: int) -> Iterator[int]:
    """Yield the lengths of the stretches to try, longest first."""
    while count >= LEAST_POINTS:
        yield count
        if count == LEAST_POINTS:
            return
        count = max(LEAST_POINTS, int(count * 0.75))


def _may_end(points: Sequence[Point], capacity: float, within: float) -> bool:
    """Return whether the capacity could be reached in `within` seconds, by a rough estimate of the rate."""
    third = max(2, len(points) // 3)
    first, last = points[:third], points[-third:]
    grown = median([point.value for point in last]) - median([point.value for point in first])
    if grown <= 0:
        return False
    took = median([point.taken for point in last]) - median([point.taken for point in first])
    return (capacity - points[-1].value) * took <= within * grown


def _fit(points: Sequence[Point]) -> list[_Fit]:
    """Return the line through the points in a list, an empty list if they are not along a line that rises."""
    end = points[-1].taken
    span = end - points[0].taken
    times, values = _thinned([point.taken - end for point in points], [point.value for point in points])
    rate, low, high = _slope(times, values)
    if low <= 0:
        return []
    rests = sorted(value - rate * time for time, value in zip(times, values))
    upper = _quantile(rests, 0.9)
    noise = (upper - _quantile(rests, 0.1)) / (rate * span)
    if noise * _ABOVE_NOISE > 1:
        return []
    half = len(times) // 2
    # The point in the middle belongs to both halves.
    for part in (slice(None, half + 1), slice(half, None)):
        if not _EVEN[0] * rate <= _slope(times[part], values[part])[0] <= _EVEN[1] * rate:
            return []
    return [
        _Fit(
            rate,
            low,
            high,
            _quantile(rests, 0.5),
            upper,
            rests[-1],
            (noise + _UNSEEN) / math.sqrt(len(times)),
            points[0].taken,
            span,
            len(points),
        )
    ]


def _levels_off(stretch: Sequence[Point], fit: _Fit, left: float) -> bool:
    """Return whether the rate falls so fast that `left` is never used up if it goes on falling like that."""
    before = stretch[-2 * fit.length : -fit.length]
    if len(before) < LEAST_POINTS // 2:
        return False
    times, values = _thinned([point.taken for point in before], [point.value for point in before])
    earlier = _slope(times, values)[0]
    if earlier <= fit.rate:
        return False
    kept: float = (fit.rate / earlier) ** (fit.span / (fit.since + fit.span / 2 - (times[0] + times[-1]) / 2))
    return left * (1 - kept) > fit.rate * fit.span * kept


def _thinned(times: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    """Return at most `_MOST_POINTS` points, each the median of a group of neighbours."""
    count = len(times)
    if count <= _MOST_POINTS:
        return times, values
    edges = [round(number * count / _MOST_POINTS) for number in range(_MOST_POINTS + 1)]
    groups = [slice(start, stop) for start, stop in zip(edges, edges[1:])]
    return [median(times[group]) for group in groups], [median(values[group]) for group in groups]


def _slope(times: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median of the slopes of all pairs of points, and the two ends of its interval."""
    found = slopes(times, values)
    if not found:
        return 0.0, 0.0, 0.0
    count = len(times)
    reach = _DEVIATIONS * math.sqrt(count * (count - 1) * (2 * count + 5) / 18) / 2
    middle = (len(found) - 1) / 2
    low, high = found[max(0, math.floor(middle - reach))], found[min(len(found) - 1, math.ceil(middle + reach))]
    return median(found), low, high


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def _happened_before(points: Sequence[Point], fit: _Fit, capacity: float) -> bool:
    """Return whether the series has risen like this before, and fallen again by itself."""
    height = fit.rate * fit.span
    low = high = points[0]
    anew = False
    for point, after in zip(points[: -fit.length], points[1:]):
        if anew or point.value < low.value:
            low = high = point
        if point.value > high.value:
            high = point
        anew = _restarted(point, after)
        if anew:
            continue
        rise = high.value - low.value
        if high.value - after.value >= _FELL * rise and rise >= _LIKE_HEIGHT * height:
            took = high.taken - low.taken
            if high.value < _END * capacity and rise >= _LIKE_RATE * fit.rate * took:
                return True
            anew = True
    return False


def _restarted(before: Point, after: Point) -> bool:
    """Return whether the process was restarted between two points."""
    if before.started is None or after.started is None:
        return False
    return abs(after.started - before.started) > _SAME_START_SECONDS
