# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the report as SVG paths, in whole units: a page about 200 hosts stays small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STEPS = (60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400)


def line(buckets: Iterable[Bucket], height: int, top: float, gap: float) -> str:
    """Return a line through the lowest and the highest value of each bucket, so no peak is lost.

    `top` is the value at the upper edge. The line is interrupted between buckets that are further apart than `gap`.
    """
    parts: list[str] = []
    x = y = None
    for bucket in buckets:
        low, high = (_level(value, height, top) for value in (bucket.low, bucket.high))
        # The value that is nearer to the end of the line comes first.
        first, second = (low, high) if y is None or abs(low - y) <= abs(high - y) else (high, low)
        if x is None or y is None or bucket.number - x > gap:
            # A point without neighbours is a dot.
            parts.append(f"M{bucket.number} {first}h0")
        else:
            parts.append(_move(bucket.number - x, first - y))
        if second != first:
            parts.append(f"v{second - first}")
        x, y = bucket.number, second
    return "".join(parts)


def ticks(positions: Iterable[int], height: int) -> str:
    """Return vertical strokes at some positions, one for each."""
    return "".join(f"M{position} 0v{height}" for position in sorted(set(positions)))


def spans(values: Sequence[str | None], height: int, wanted: str) -> str:
    """Return rectangles over the values that are `wanted`."""
    parts: list[str] = []
    start = None
    for number, value in enumerate([*values, None]):
        if value == wanted and start is None:
            start = number
        elif value != wanted and start is not None:
            parts.append(f"M{start} 0h{number - start}v{height}h-{number - start}z")
            start = None
    return "".join(parts)


def steps(below: Sequence[float], above: Sequence[float], height: int, top: float) -> str:
    """Return the area between two lists of heights, each as wide as its bucket."""
    if not any(high > low for low, high in zip(below, above)):
        return ""
    upper, lower = ([_level(value, height, top) for value in values] for values in (above, below))
    forth = [
        f"V{level}H{number + 1}"
        for number, (level, after) in enumerate(zip(upper, [*upper[1:], None]))
        if level != after
    ]
    back = [
        f"V{level}H{number}" for number, (level, before) in enumerate(zip(lower, [None, *lower])) if level != before
    ]
    return f"M0 {lower[0]}{''.join(forth)}{''.join(reversed(back))}Z"


def scale(begin: float, end: float, most: int) -> list[tuple[str, str]]:
    """Return at most `most` pairs of a position in percent and a text, for round times in UTC."""
    length = max(end - begin, 1.0)
    step = next((step for step in _STEPS if length / step <= most), _STEPS[-1] * (1 + int(length / _STEPS[-1] / most)))
    # Weeks are counted from the first Monday of 1970 on.
    first = (int(begin - 4 * 86400) // step + 1) * step + 4 * 86400
    return [
        (f"{100 * (moment - begin) / length:.2f}", _moment(moment, step)) for moment in range(first, int(end) + 1, step)
    ]


def _moment(seconds: int, step: int) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    if step < 86400 and (moment.hour or moment.minute):
        return f"{moment.hour:02}:{moment.minute:02}"
    return f"{DAYS[moment.weekday()]} {moment.day}"


def _level(value: float, height: int, top: float) -> int:
    """Return a value's distance from the upper edge."""
    share = value / top if top else 0
    return round(height * (1 - min(max(share, 0), 1)))


def _move(right: int, down: int) -> str:
    if down == 0:
        return f"h{right}"
    return f"l{right}{'' if down < 0 else ' '}{down}"
