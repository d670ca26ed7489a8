# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When something will be used up, if it goes on as it does: points of a series in, a forecast out, or None where there is no trend.

The rate is Theil and Sen's: the median of the slopes of all pairs of points, which a few odd points don't move; ranks further out give
its interval, as Sen has it. Of the stretches since the last restart that have grown evenly to their end, it is taken over the one whose
rate is the surest. What rises more and more slowly is held to level off. What has risen like this before and then fallen by itself, as the
heap of a language that collects its garbage does, is no trend: what a box has done before it may do again.

docs/forecast.md has the figures.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._statistics import median, slopes

# Fewer points than these say nothing of what is growth and what is noise.
LEAST_POINTS = 8
# So many pairs of points take a millisecond; more points are put together.
_MOST_POINTS = 40
# Clocks are set right now and then, which moves a start.
_SAME_START_SECONDS = 60
# Points that lie along a line by accident are no surer than this, as a share of what they have grown.
_UNSEEN = 0.01
# How many standard deviations the interval has on either side.
_DEVIATIONS = 2.58
# Growth must be so much more than what the points lie apart around it, ...
_ABOVE_NOISE = 3
# ... and each half of the stretch must have grown at a rate that isn't further from the whole's.
_EVEN = (0.5, 1.8)
# A rate that is roughly taken may be wrong by this factor.
_ROUGHLY = 3
# Nobody can look further ahead from what has been seen than so many times its length.
REACH = 20
# A rise that fell again by itself is like the one at hand if it had so much of its height and of its rate, ...
_LIKE_HEIGHT, _LIKE_RATE = 0.7, 0.4
# ... and fell by so much of its own height, from below this share of the capacity: what falls from above was at its end.
_FELL, _END = 0.5, 0.9


class Forecast(NamedTuple):
    """V(rate) is per second; V(seconds), V(low) and V(high) are from the last point on; V(since) is when the stretch began, V(span) how
    many seconds it is long.
    """

    rate: float
    seconds: float
    low: float
    high: float
    since: float
    span: float


def forecast(points, within=None, reach=REACH):
    """The forecast of a series that ends now, or None.

    V(points) are its points, oldest first, with C(taken), C(value), C(capacity) and C(started). One that is later than V(within) seconds
    is of no interest, which saves most of the work; nor is one that looks further ahead than V(reach) times the length of the stretch.
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
    """A line through the last V(length) points. The interval of its rate is from V(low) to V(high); the rest is of its end."""

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


def may_end(points, within):
    """Whether V(points), a few of a series, leave it open that it ends in so many seconds, so that all of them are worth a look.

    What grows has grown since most of them, so that two of them say so; one alone may be noise.
    """
    now = points[-1]
    if not now.capacity:
        return False
    saying = sum(
        now.value > point.value
        and (now.capacity - now.value) * (now.taken - point.taken) <= _ROUGHLY * within * (now.value - point.value)
        for point in points[:-1]
    )
    return saying > 1


def _since_restart(points):
    last = points[-1].started
    for number in range(len(points) - 1, -1, -1):
        started = points[number].started
        if last is not None and started is not None and abs(started - last) > _SAME_START_SECONDS:
            return points[number + 1 :]
    return points


def _lengths(count):
    """The lengths of stretch to try, the longest first."""
    while count >= LEAST_POINTS:
        yield count
        if count == LEAST_POINTS:
            return
        count = max(LEAST_POINTS, int(count * 0.75))


def _may_end(points, capacity, within):
    """Whether it could end in this time at a rate that is roughly taken."""
    third = max(2, len(points) // 3)
    first, last = points[:third], points[-third:]
    grown = median([point.value for point in last]) - median([point.value for point in first])
    if grown <= 0:
        return False
    took = median([point.taken for point in last]) - median([point.taken for point in first])
    return (capacity - points[-1].value) * took <= within * grown


def _fit(points):
    """The line through these points, in a list, or none where they don't lie along one that rises."""
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
    # The point in the middle belongs to both.
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


def _levels_off(stretch, fit, left):
    """Whether the rate falls so fast that what is left is never used up, if it falls on like that."""
    before = stretch[-2 * fit.length : -fit.length]
    if len(before) < LEAST_POINTS // 2:
        return False
    times, values = _thinned([point.taken for point in before], [point.value for point in before])
    earlier = _slope(times, values)[0]
    if earlier <= fit.rate:
        return False
    kept = (fit.rate / earlier) ** (fit.span / (fit.since + fit.span / 2 - (times[0] + times[-1]) / 2))
    return left * (1 - kept) > fit.rate * fit.span * kept


def _thinned(times, values):
    """No more than so many points, each the median of its neighbours."""
    count = len(times)
    if count <= _MOST_POINTS:
        return times, values
    edges = [round(number * count / _MOST_POINTS) for number in range(_MOST_POINTS + 1)]
    groups = [slice(start, stop) for start, stop in zip(edges, edges[1:])]
    return [median(times[group]) for group in groups], [median(values[group]) for group in groups]


def _slope(times, values):
    """The median of all slopes, and its interval."""
    found = slopes(times, values)
    if not found:
        return 0.0, 0.0, 0.0
    count = len(times)
    reach = _DEVIATIONS * math.sqrt(count * (count - 1) * (2 * count + 5) / 18) / 2
    middle = (len(found) - 1) / 2
    low, high = found[max(0, math.floor(middle - reach))], found[min(len(found) - 1, math.ceil(middle + reach))]
    return median(found), low, high


def _quantile(ordered, share):
    return ordered[round(share * (len(ordered) - 1))]


def _happened_before(points, fit, capacity):
    """Whether the series has risen like this before, and fallen again by itself."""
    height = fit.rate * fit.span
    low = high = None
    for point, after in zip(points[: -fit.length], points[1:]):
        if low is None or point.value < low.value:
            low = high = point
        if point.value > high.value:
            high = point
        if (
            after.started is not None
            and point.started is not None
            and abs(after.started - point.started) > _SAME_START_SECONDS
        ):
            low = None
            continue
        rise = high.value - low.value
        if high.value - after.value >= _FELL * rise and rise >= _LIKE_HEIGHT * height:
            took = high.taken - low.taken
            if high.value < _END * capacity and rise >= _LIKE_RATE * fit.rate * took:
                return True
            low = None
    return False
