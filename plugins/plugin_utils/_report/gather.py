# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report tells of a fleet: what health has just returned of each box, and what the history has of it, brought together."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples as history_samples
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.writer import SAME_KILL_SECONDS
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series

# Of how many stretches of time the pictures are made.
BUCKETS = 96
_JUDGED = ("ok", "warning", "critical")
# A forecast that is further away than this is none to report.
_FORESEEN_SECONDS = 7 * 86400
_HORIZON = {
    name: {"warning": _FORESEEN_SECONDS // 60, "critical": None}
    for name in ("forecast_minutes", "disk_forecast_minutes")
}
# A box that was left out so many times is no longer what it was.
_MISSED, _MISSED_SECONDS = 3, 600
# What another source than health has found counts as long.
_FOUND_SECONDS = 86400
# Two logs may tell the time of one kill a little differently.


@dataclass(frozen=True)
class Box:
    """One box. V(read) is when it was last judged, V(since) since when its verdict is what it is, V(before) what it was before."""

    name: str
    verdict: str
    findings: tuple = ()
    read: float | None = None
    missed: bool = False
    since: float | None = None
    before: str | None = None
    samples: dict = field(default_factory=dict)
    series: dict = field(default_factory=dict)
    verdicts: tuple = ()
    kills: tuple = ()
    forecasts: tuple = ()
    changes: tuple = ()
    state: dict = field(default_factory=dict)

    @property
    def left(self):
        """What is left of the memory, in percent."""
        memory = self.samples.get(report_series.MEMORY)
        return 100.0 if memory is None or not memory.capacity else 100.0 * (1 - memory.value / memory.capacity)


@dataclass(frozen=True)
class Fleet:
    """All boxes, worst first. V(begin) and V(end) bound the pictures; V(history) is the path of the history, if there is one.

    V(differences) are a group's name, its boxes and its Differences, for each group that has any.
    """

    made: float
    begin: float
    end: float
    boxes: tuple
    history: str | None = None
    fresh: bool = True
    differences: tuple = ()

    @property
    def newest(self):
        return max((box.read for box in self.boxes if box.read is not None), default=None)


def gather(names, fresh, history, made, days, groups=None):
    """The Fleet of the boxes V(names). V(fresh) are the results of health by name, as far as it was run; V(history) may be None.

    V(groups) are pairs of a name and the boxes that are compared with each other, by default all of them. Raises HistoryError.
    """
    names, readings, begin = list(dict.fromkeys(names)), [], made - 86400
    if history is not None:
        begin = made - days * 86400
        readings = history.readings(since=begin)
        # The first reading may tell of kills before it.
        known = [reading.taken for reading in readings[:1]] + [
            kill.killed for _box, kill in history.kills(since=begin)[:1]
        ]
        begin = min(known, default=made - 3600)
    by_box, others = {}, {}
    for reading in readings:
        if reading.source == "health" and reading.verdict is not None:
            by_box.setdefault(reading.box, []).append(reading)
        elif reading.taken > made - _FOUND_SECONDS:
            others.setdefault(reading.box, {})[reading.source] = reading.reading
    end = max(made, begin + 60)
    look = _Look(history, begin, end, report_series.wanted(history.metrics()) if history else [])
    newest = max((taken[-1].taken for taken in by_box.values()), default=None)
    boxes = [
        look.box(name, fresh.get(name), by_box.get(name, []), sorted(others.get(name, {}).values()), newest)
        for name in names
    ]
    boxes.sort(key=lambda box: _table.rank(box.name, box.verdict, box.left))
    return Fleet(
        made,
        begin,
        end,
        tuple(boxes),
        history.path if history else None,
        any(fresh.get(name) for name in names),
        tuple(_differences(boxes, groups or [("all", names)])),
    )


def _differences(boxes, groups):
    """What differs between boxes of one group, that which sets the fewest boxes apart first."""
    states = {box.name: box.state for box in boxes if box.state}
    for name, members in groups:
        found = spread.differences({box: states[box] for box in members if box in states})
        if found:
            found.sort(key=lambda one: (sum(len(have) for _value, have in one.values[1:]), len(one.values), one.name))
            yield name, [box for box in members if box in states], found


class _Look:
    """How a box is looked at: the history, the stretch of time, and what of it has pictures."""

    def __init__(self, history, begin, end, metrics):
        self._history, self._begin, self._end, self._metrics = history, begin, end, metrics
        self._width = (end - begin) / BUCKETS

    def box(self, name, result, readings, others, newest):
        found = self._fresh(name, result) if result else self._recorded(readings, newest)
        judged = next((reading for reading in reversed(readings) if reading.verdict in _JUDGED), None)
        recorded = self._history.samples(judged.reading) if judged else []
        found.setdefault("samples", recorded)
        kills = [kill for kill in found.pop("kills", ()) if kill.killed is None or kill.killed >= self._begin]
        past = [(reading.taken, reading.verdict) for reading in readings]
        if found["read"] is not None and (not past or past[-1][0] < found["read"]):
            past.append((found["read"], found["verdict"]))
        self._add(found, others)
        found.update(_lasting(found["verdict"], past), verdicts=self._strip(past))
        if self._history is not None:
            kills = _united([kill for _box, kill in self._history.kills(name, self._begin)], kills)
            found.update(
                series=self._series(name),
                state=self._history.state(name),
                changes=tuple(spread.changes(self._history.changes(name, self._begin))),
            )
            if judged is not None and found["verdict"] in _JUDGED:
                found["forecasts"] = self._foresee(name, recorded, judged)
        found["samples"] = {
            (sample.metric, sample.subject): sample for sample in found["samples"] if _is_number(sample.value)
        }
        return Box(name=name, kills=tuple(sorted(kills, key=lambda kill: kill.killed or 0)), **found)

    def _fresh(self, name, result):
        if result.get("unreachable"):
            row = _table.down(name, result)
            return {"verdict": row.verdict, "findings": _said(row), "read": self._end}
        if "verdict" not in result:
            return {"verdict": "unknown", "findings": _said(_table.unknown(name, result)), "read": self._end}
        facts = result["ansible_facts"]
        return {
            "verdict": result["verdict"],
            "findings": tuple(result["findings"]),
            "read": self._end,
            "kills": history_samples.kills(facts),
            "samples": history_samples.samples(facts, result["workers"]),
        }

    def _recorded(self, readings, newest):
        if not readings:
            return {
                "verdict": "unknown",
                "findings": ({"severity": "unknown", "message": "nothing has been read of it"},),
                "read": None,
            }
        last = readings[-1]
        findings = tuple(self._history.findings(reading=last.reading))
        found = {"verdict": last.verdict, "findings": findings, "read": last.taken}
        silent = newest - last.taken
        lately = readings[-20:]
        steps = [after.taken - before.taken for before, after in zip(lately, lately[1:])]
        if steps and silent > max(_MISSED * statistics.median(steps), _MISSED_SECONDS):
            said = f"last read {format_duration(silent)} before the others; it was {last.verdict} then"
            found.update(verdict="unknown", findings=({"severity": "unknown", "message": said}, *findings), missed=True)
        return found

    def _add(self, found, readings):
        """What others than health have found, such as a throughput that falls, makes a box no better than they say."""
        added = [finding for reading in readings for finding in self._history.findings(reading=reading)]
        worst = min((finding["severity"] for finding in added), key=_table.VERDICTS.index, default="ok")
        if _table.VERDICTS.index(worst) < _table.VERDICTS.index(found["verdict"]) and found["verdict"] in _JUDGED:
            found["verdict"] = worst
        found["findings"] = tuple(
            sorted([*found["findings"], *added], key=lambda finding: _table.VERDICTS.index(finding["severity"]))
        )

    def _strip(self, past):
        """The worst verdict of each bucket, None where there was no reading."""
        strip = [None] * BUCKETS
        for taken, verdict in past:
            at = min(BUCKETS - 1, int((taken - self._begin) / self._width))
            if (
                verdict in _table.VERDICTS
                and at >= 0
                and (strip[at] is None or _table.VERDICTS.index(verdict) < _table.VERDICTS.index(strip[at]))
            ):
                strip[at] = verdict
        return tuple(strip)

    def _series(self, name):
        found = {}
        if not self._metrics:
            return found
        for key, whole in self._history.buckets(name, self._metrics, self._begin, self._width).items():
            buckets = [bucket for bucket in whole if _is_number(bucket.low) and _is_number(bucket.high)]
            shown = report_series.rates(buckets) if key[0] in report_series.COUNTERS else buckets
            if shown:
                found[key] = shown
        return found

    def _foresee(self, name, samples, judged):
        past = {
            key: [point for point in points if point.taken < judged.taken]
            for key, points in self._history.recent(name, list(trends.RESOURCES), self._begin).items()
        }
        return tuple(
            trends.foresee(
                past,
                samples,
                judged.taken,
                judged.booted,
                _HORIZON,
                lambda metric, subject: [
                    point
                    for point in self._history.series(name, metric, subject, self._begin)
                    if point.taken < judged.taken
                ],
            )
        )


def _lasting(verdict, past):
    """Since when it is so, and what was before."""
    since = None
    for taken, was in reversed(past):
        if was != verdict:
            return {"since": since, "before": was}
        since = taken
    return {"since": since, "before": None}


def _said(row):
    return tuple({"severity": row.verdict, "message": reason} for reason in row.reasons)


def _united(kills, fresh):
    """The kills of both, each once."""
    found = list(kills)
    for kill in fresh:
        if not any(_same(kill, known) for known in found):
            found.append(kill)
    return found


def _same(one: Kill, other: Kill):
    if one.pid != other.pid:
        return False
    if one.killed is None or other.killed is None:
        return one.killed == other.killed
    return abs(one.killed - other.killed) <= SAME_KILL_SECONDS


def _is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)
