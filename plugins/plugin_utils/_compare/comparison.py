# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a comparison as one dictionary that JSON can hold. docs/compare.md explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Change, StateValue


@dataclass
class Read:
    """The readings of one host: `numbers` by metric and subject; `state`, `whole` and `unread` as in state_info.

    `changed` is what a history says has changed, None if it was not asked. `known` is when the host's state was first
    recorded, if that is after the time that was asked for.
    """

    numbers: Mapping[tuple[str, str], float] = field(default_factory=dict)
    state: Mapping[str, StateValue] = field(default_factory=dict)
    whole: Sequence[str] = ()
    unread: Sequence[str] = ()
    changed: Sequence[Change] | None = None
    known: float | None = None


class OutlierReport(TypedDict):
    """A host whose number stands out."""

    box: str
    value: float
    score: float | None


class NumberReport(TypedDict):
    """One number of all hosts."""

    metric: str
    subject: str
    median: float | None
    values: dict[str, float]
    outliers: list[OutlierReport]


class ValueReport(TypedDict):
    """A value, and the hosts that have it."""

    value: StateValue
    boxes: list[str]


class DifferenceReport(TypedDict):
    """A name whose value differs, the most frequent value first. `majority`: no other value is as frequent."""

    name: str
    values: list[ValueReport]
    majority: bool


class ChangeReport(TypedDict):
    """The same change on one or several hosts."""

    name: str
    before: StateValue
    after: StateValue
    first: str
    last: str
    boxes: list[str]


class UnreadReport(TypedDict):
    """The parts of a host's state that could not be read."""

    box: str
    parts: list[str]


class KnownSinceReport(TypedDict):
    """A host whose history does not go back far enough, and the time of its first record."""

    box: str
    time: str


class GroupReport(TypedDict):
    """The comparison of one group."""

    name: str
    boxes: list[str]
    fewest: int
    numbers: list[NumberReport]
    differences: list[DifferenceReport]
    unread: list[UnreadReport]
    changes: list[ChangeReport] | None
    known_since: list[KnownSinceReport]


class UnreachableReport(TypedDict):
    """A host that could not be compared, and why."""

    box: str
    reason: str


class Report(TypedDict):
    """The whole report."""

    made: str | None
    since: str | None
    groups: list[GroupReport]
    unreachable: list[UnreachableReport]


def compare(
    groups: Iterable[tuple[str, Iterable[str]]],
    boxes: Mapping[str, Read],
    score: float = spread.SCORE,
    floor: float = spread.FLOOR,
    ignored: Sequence[str] = (),
) -> list[GroupReport]:
    """Return the groups of the report.

    `groups` are pairs of a group's name and its hosts. `boxes` are by host; a host that is missing there is left out of
    its group.
    """
    found: list[GroupReport] = []
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
                    "unread": [{"box": box, "parts": list(one.unread)} for box, one in read.items() if one.unread],
                    "changes": _changes(read, ignored),
                    "known_since": [
                        {"box": box, "time": timestamp(one.known) or ""}
                        for box, one in read.items()
                        if one.known is not None
                    ],
                }
            )
    return found


def _numbers(read: Mapping[str, Read], score: float, floor: float) -> list[NumberReport]:
    found: list[NumberReport] = []
    series: set[tuple[str, str]] = set().union(*(one.numbers for one in read.values()))
    for metric, subject in sorted(series):
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


def _differences(read: Mapping[str, Read], ignored: Sequence[str]) -> list[DifferenceReport]:
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


def _changes(read: Mapping[str, Read], ignored: Sequence[str]) -> list[ChangeReport] | None:
    """Return the changes, oldest first, with the same change of several hosts as one. None if no history was asked."""
    if all(one.changed is None for one in read.values()):
        return None
    same: dict[tuple[str, str, str], list[tuple[float, str, StateValue, StateValue]]] = {}
    for box, one in read.items():
        for taken, name, before, after in spread.changes(one.changed or (), ignored):
            same.setdefault((name, str(before), str(after)), []).append((taken, box, before, after))
    found: list[ChangeReport] = []
    for (name, _before, _after), seen in same.items():
        seen.sort(key=lambda one: one[:2])
        found.append(
            {
                "name": name,
                "before": seen[0][2],
                "after": seen[0][3],
                "first": timestamp(seen[0][0]) or "",
                "last": timestamp(seen[-1][0]) or "",
                "boxes": sorted({one[1] for one in seen}),
            }
        )
    return sorted(found, key=lambda change: (change["first"], change["name"]))
