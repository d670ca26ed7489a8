# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is to be said of boxes side by side, as one dictionary that JSON can hold: docs/compare.md explains it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread


@dataclass
class Read:
    """What is known of one box: V(numbers) by metric and subject; V(state) and V(whole) as state_info returns them.

    V(changed) is what History.changes returned, None where it wasn't asked; V(known) when the box's state was first recorded, where that is
    after the time that was asked for.
    """

    numbers: dict = field(default_factory=dict)
    state: dict = field(default_factory=dict)
    whole: tuple = ()
    unread: list = field(default_factory=list)
    changed: list | None = None
    known: float | None = None


def compare(groups, boxes, score=spread.SCORE, floor=spread.FLOOR, ignored=()):
    """The groups of the report. V(groups) are pairs of a name and boxes, V(boxes) a Read by name; a box without one stands in no group."""
    found = []
    for name, members in groups:
        read = {box: boxes[box] for box in members if box in boxes}
        if read:
            found.append(
                {
                    "name": name,
                    "boxes": list(read),
                    "fewest": spread.FEWEST,
                    "numbers": _numbers(read, score, floor),
                    "differences": _differences(read, ignored),
                    "unread": [{"box": box, "parts": one.unread} for box, one in read.items() if one.unread],
                    "changes": _changes(read, ignored),
                    "known_since": [
                        {"box": box, "time": timestamp(one.known)} for box, one in read.items() if one.known is not None
                    ],
                }
            )
    return found


def _numbers(read, score, floor):
    found = []
    for metric, subject in sorted(set().union(*(one.numbers for one in read.values()))):
        values = {box: one.numbers[metric, subject] for box, one in read.items() if (metric, subject) in one.numbers}
        far, median = spread.outliers(values, score, floor, spread.least(metric))
        found.append(
            {
                "metric": metric,
                "subject": subject,
                "median": median,
                "values": values,
                "outliers": [
                    {
                        "box": outlier.box,
                        "value": outlier.value,
                        "score": None if outlier.score is None else round(outlier.score, 1),
                    }
                    for outlier in far
                ],
            }
        )
    return found


def _differences(read, ignored):
    found = spread.differences(
        {box: one.state for box, one in read.items()}, {box: one.whole for box, one in read.items()}, ignored
    )
    return [
        {
            "name": one.name,
            "values": [{"value": value, "boxes": list(boxes)} for value, boxes in one.values],
            "majority": bool(spread.majority(one)),
        }
        for one in found
    ]


def _changes(read, ignored):
    """What has changed, the same on several boxes once, by the time at which it was first seen. None where nobody asked."""
    if all(one.changed is None for one in read.values()):
        return None
    same = {}
    for box, one in read.items():
        for taken, name, before, after in spread.changes(one.changed or (), ignored):
            same.setdefault((name, str(before), str(after)), []).append((taken, box, before, after))
    found = []
    for (name, _before, _after), seen in same.items():
        seen.sort(key=lambda one: one[:2])
        found.append(
            {
                "name": name,
                "before": seen[0][2],
                "after": seen[0][3],
                "first": timestamp(seen[0][0]),
                "last": timestamp(seen[-1][0]),
                "boxes": sorted({one[1] for one in seen}),
            }
        )
    return sorted(found, key=lambda change: (change["first"], change["name"]))
