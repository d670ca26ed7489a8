# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gather the content of a report from the results of health and from the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Taken
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import Box, Fleet, GroupDifferences
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.look import Look, Past

# How long the findings of other sources than health count.
_FOUND_SECONDS = 86400


def gather(
    names: Iterable[str],
    fresh: Mapping[str, Mapping[str, Any]],
    history: History | None,
    made: float,
    days: float,
    groups: Sequence[tuple[str, Sequence[str]]] | None = None,
) -> Fleet:
    """Return the fleet of the hosts `names`. Raises HistoryError.

    `fresh` are results of health by host. `groups` are pairs of a name and the hosts that are compared with each other,
    by default all hosts.
    """
    names = list(dict.fromkeys(names))
    begin = made - 86400
    readings: list[Taken] = []
    if history is not None:
        begin = made - days * 86400
        readings = history.readings(since=begin)
        begin = _first(history, readings, begin, made)
    end = max(made, begin + 60)
    judged, others = _by_box(readings, made - _FOUND_SECONDS)
    newest = max((taken[-1].taken for taken in judged.values()), default=None)
    look = Look(history, begin, end)
    boxes = []
    for name in names:
        past = Past(judged.get(name, []), sorted(others.get(name, {}).values()), newest)
        boxes.append(look.box(name, fresh.get(name), past))
    boxes.sort(key=lambda box: _table.rank(box.name, box.verdict, box.left))
    return Fleet(
        made,
        begin,
        end,
        tuple(boxes),
        history.path if history else None,
        any(fresh.get(name) for name in names),
        tuple(_differences(boxes, groups or [("all", names)])),
        history.ahead() if history else 0,
    )


def _first(history: History, readings: Sequence[Taken], begin: float, made: float) -> float:
    """Return when the pictures begin: at the first reading, or at an earlier kill that it reported."""
    known = [reading.taken for reading in readings[:1]]
    known += [kill.killed for _box, kill in history.kills(since=begin)[:1] if kill.killed is not None]
    return min(known, default=made - 3600)


def _by_box(readings: Iterable[Taken], found_since: float) -> tuple[dict[str, list[Taken]], dict[str, dict[str, int]]]:
    """Return by host the readings of health, and the number of the last recent reading of each other source."""
    judged: dict[str, list[Taken]] = {}
    others: dict[str, dict[str, int]] = {}
    for reading in readings:
        if reading.source == "health" and reading.verdict is not None:
            judged.setdefault(reading.box, []).append(reading)
        elif reading.taken > found_since:
            others.setdefault(reading.box, {})[reading.source] = reading.reading
    return judged, others


def _differences(boxes: Iterable[Box], groups: Iterable[tuple[str, Sequence[str]]]) -> Iterator[GroupDifferences]:
    """Yield what differs between hosts of one group, the differences that set the fewest hosts apart first."""
    states = {box.name: box.state for box in boxes if box.state}
    for name, members in groups:
        found = spread.differences({box: states[box] for box in members if box in states})
        if found:
            found.sort(key=lambda one: (sum(len(have) for _value, have in one.values[1:]), len(one.values), one.name))
            yield name, [box for box in members if box in states], found
