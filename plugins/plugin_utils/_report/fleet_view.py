# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare the page's part about the whole fleet: danger, work, OOM kills, changes and differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.spread import Difference
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Kill
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series, svg, words
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.box_view import BoxView, ForecastView, place
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Fleet

_MOST_LANES, _MOST_DIFFERENCES = 12, 40


class Layer(TypedDict):
    """The area of one verdict in the picture of danger."""

    verdict: str
    path: str


class Danger(TypedDict):
    """The picture of how many hosts were not ok."""

    layers: list[Layer]
    most: int
    text: str


class Work(TypedDict):
    """The picture of one kind of work of all hosts together."""

    label: str
    path: str
    most: str
    last: str
    text: str


class Lane(TypedDict):
    """The OOM kills of one host over time."""

    box: BoxView
    count: int
    path: str
    text: str


class Lanes(TypedDict):
    """The OOM kills of all hosts that have some."""

    shown: list[Lane]
    more: list[Lane]
    kills: int
    boxes: int


class SharedChange(TypedDict):
    """The same change on one or several hosts."""

    time: words.Moment
    seconds: float
    name: str
    before: str | None
    after: str | None
    boxes: list[BoxView]


class OtherValue(TypedDict):
    """A value that fewer hosts have."""

    value: str | None
    boxes: list[BoxView]


class DifferenceView(TypedDict):
    """A name whose value differs."""

    name: str
    most: str | None
    most_count: int
    others: list[OtherValue]


class GroupView(TypedDict):
    """The differences within a group."""

    name: str
    boxes: int
    shown: list[DifferenceView]
    more: int


def coming(boxes: Sequence[BoxView]) -> list[ForecastView]:
    """Return the forecasts of all hosts, soonest first."""
    found = (forecast for box in boxes for forecast in box["forecasts"])
    return sorted(found, key=lambda forecast: (forecast["seconds"], forecast["box"]["number"]))


def differences(fleet: Fleet, boxes: Sequence[BoxView]) -> list[GroupView]:
    """Return for each group what most of its hosts have, and which hosts have something else."""
    rows = {box["name"]: box for box in boxes}
    return [
        {
            "name": name,
            "boxes": len(members),
            "shown": [_difference(one, rows) for one in found[:_MOST_DIFFERENCES]],
            "more": max(0, len(found) - _MOST_DIFFERENCES),
        }
        for name, members, found in fleet.differences
    ]


def _difference(one: Difference, rows: dict[str, BoxView]) -> DifferenceView:
    (most, having), *others = one.values
    return {
        "name": one.name,
        "most": words.value(one.name, most),
        "most_count": len(having),
        "others": [
            {"value": words.value(one.name, value), "boxes": [rows[box] for box in have]} for value, have in others
        ],
    }


def changes(boxes: Sequence[BoxView]) -> list[SharedChange]:
    """Return what has changed, latest first, with the same change of several hosts as one."""
    same: dict[tuple[str, str, str], SharedChange] = {}
    for box in boxes:
        for change in box["changes"]:
            key = (change["name"], change["before"] or "", change["after"] or "")
            known = same.setdefault(key, {**change, "boxes": []})
            if change["seconds"] > known["seconds"]:
                known["seconds"], known["time"] = change["seconds"], change["time"]
            if not known["boxes"] or known["boxes"][-1]["id"] != box["id"]:
                known["boxes"].append(box)
    return sorted(same.values(), key=lambda change: (-change["seconds"], change["name"]))


def danger(fleet: Fleet) -> Danger | None:
    """Return how many hosts were not ok at each time, with one layer per verdict. None if all were ok."""
    shown = [verdict for verdict in _table.VERDICTS if verdict != "ok"]
    counts = {
        verdict: [sum(box.verdicts[number] == verdict for box in fleet.boxes) for number in range(BUCKETS)]
        for verdict in shown
    }
    most = max(map(sum, zip(*counts.values())))
    if fleet.history is None or not most:
        return None
    below = [0] * BUCKETS
    layers: list[Layer] = []
    for verdict in shown:
        above = [low + more for low, more in zip(below, counts[verdict])]
        layers.append({"verdict": verdict, "path": svg.steps(below, above, 100, most)})
        below = above
    length = fleet.end - fleet.begin
    peak = words.moment(fleet.begin + (below.index(most) + 0.5) * length / BUCKETS)["text"]
    return {
        "layers": [layer for layer in layers if layer["path"]],
        "most": most,
        "text": f"Boxes that were not ok over {words.length(length)}: at most {most} of {len(fleet.boxes)},"
        f" around {peak}; {below[-1]} at the end",
    }


def work(fleet: Fleet) -> list[Work]:
    """Return what all hosts together get done per hour, for each kind of work."""
    totals: dict[str, dict[int, float]] = {}
    for box in fleet.boxes:
        for (metric, _subject), buckets in box.series.items():
            if report_series.is_throughput(metric):
                numbers = totals.setdefault(metric, {})
                for bucket in buckets:
                    numbers[bucket.number] = numbers.get(bucket.number, 0) + (bucket.low + bucket.high) / 2
    return [_work(metric, numbers, fleet) for metric, numbers in sorted(totals.items())]


def _work(metric: str, numbers: dict[int, float], fleet: Fleet) -> Work:
    buckets = [Bucket(number, value, value, 0) for number, value in sorted(numbers.items())]
    low, high, last = min(numbers.values()), max(numbers.values()) or 1, buckets[-1].high
    lowest, highest, latest = (report_series.number("", value) for value in (low, high, last))
    label, length = report_series.label(metric, ""), words.length(fleet.end - fleet.begin)
    return {
        "label": label,
        "path": svg.line(buckets, 100, high, report_series.gap(buckets)),
        "most": highest,
        "last": latest,
        "text": f"{label}, all boxes together, over {length}: from {lowest} to {highest}, last {latest}",
    }


def lanes(fleet: Fleet, boxes: Sequence[BoxView]) -> Lanes:
    """Return the hosts with OOM kills, those with the most first, and their kills over time."""
    killed = [(box, row) for box, row in zip(fleet.boxes, boxes) if box.kills]
    killed.sort(key=lambda pair: (-len(pair[0].kills), pair[1]["number"]))
    found: list[Lane] = []
    for box, row in killed:
        count = f"{len(box.kills)} OOM {'kill' if len(box.kills) == 1 else 'kills'}"
        found.append(
            {
                "box": row,
                "count": len(box.kills),
                "path": svg.ticks([place(kill.killed, fleet) for kill in box.kills if kill.killed], 10),
                "text": f"{count} on {row['name']}{_last(box.kills)}",
            }
        )
    return {
        "shown": found[:_MOST_LANES],
        "more": found[_MOST_LANES:],
        "kills": sum(lane["count"] for lane in found),
        "boxes": len(found),
    }


def _last(kills: Sequence[Kill]) -> str:
    times = [kill.killed for kill in kills if kill.killed]
    return f", the last at {words.moment(times[-1])['text']}" if times else ""
