# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the report as paths of SVG: numbers in, the text of an attribute out, in whole units so that 200 boxes stay small."""

from __future__ import annotations

from datetime import datetime, timezone

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STEPS = (60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400)


def line(buckets, height, top, gap):
    """A line through the least and the most of each bucket, so that no peak is lost. V(top) is the value at the upper edge."""
    parts, x, y = [], None, None
    for bucket in buckets:
        low, high = (_level(value, height, top) for value in (bucket.low, bucket.high))
        # Whichever is nearer to where the line is comes first.
        first, second = (low, high) if y is None or abs(low - y) <= abs(high - y) else (high, low)
        if x is None or bucket.number - x > gap:
            # A point without neighbours is a dot.
            parts.append(f"M{bucket.number} {first}h0")
        else:
            parts.append(_move(bucket.number - x, first - y))
        if second != first:
            parts.append(f"v{second - first}")
        x, y = bucket.number, second
    return "".join(parts)


def ticks(positions, height):
    """Strokes from top to bottom at these positions, each once."""
    return "".join(f"M{int(position)} 0v{int(height)}" for position in sorted(set(positions)))


def spans(values, height, wanted):
    """Boxes where consecutive V(values) are V(wanted)."""
    parts, start = [], None
    for number, value in enumerate([*values, None]):
        if value == wanted and start is None:
            start = number
        elif value != wanted and start is not None:
            parts.append(f"M{start} 0h{number - start}v{height}h-{number - start}z")
            start = None
    return "".join(parts)


def steps(below, above, height, top):
    """The area between two lists of heights, each as wide as its bucket."""
    if not any(high > low for low, high in zip(below, above)):
        return ""
    upper, lower = ([_level(value, height, top) for value in values] for values in (above, below))
    forth = [
        f"V{int(level)}H{number + 1}"
        for number, (level, after) in enumerate(zip(upper, [*upper[1:], None]))
        if level != after
    ]
    back = [
        f"V{int(level)}H{number}"
        for number, (level, before) in enumerate(zip(lower, [None, *lower]))
        if level != before
    ]
    return f"M0 {int(lower[0])}{''.join(forth)}{''.join(reversed(back))}Z"


def scale(begin, end, most):
    """Pairs of a position in percent and a text, for times that people would name, in UTC: no more than V(most)."""
    length = max(end - begin, 1.0)
    step = next((step for step in _STEPS if length / step <= most), _STEPS[-1] * (1 + int(length / _STEPS[-1] / most)))
    # Days of the week begin on the Monday after 1970 began.
    first = (int(begin - 4 * 86400) // step + 1) * step + 4 * 86400
    return [
        (f"{100 * (moment - begin) / length:.2f}", _moment(moment, step)) for moment in range(first, int(end) + 1, step)
    ]


def _moment(seconds, step):
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    if step < 86400 and (moment.hour or moment.minute):
        return f"{int(moment.hour):02}:{int(moment.minute):02}"
    return f"{DAYS[moment.weekday()]} {moment.day}"


def _level(value, height, top):
    """How far from the upper edge a value is."""
    share = value / top if top else 0
    return round(height * (1 - min(max(share, 0), 1)))


def _move(right, down):
    if down == 0:
        return f"h{int(right)}"
    return f"l{int(right)}{'' if down < 0 else ' '}{down}"
