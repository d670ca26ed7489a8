# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of a report: what health has just returned, combined with its past in the history."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Forecast
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.plugin_utils import _table
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare import spread
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import samples as history_samples
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket, Kill, Point, Sample, Taken
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History, Key
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.writer import SAME_KILL_SECONDS
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report.fleet import BUCKETS, Box, Reason

_JUDGED = ("ok", "warning", "critical")
# A forecast beyond this is not reported.
_FORESEEN_SECONDS = 7 * 86400
_HORIZON: dict[str, dict[str, float | None]] = {
    name: {"warning": _FORESEEN_SECONDS // 60, "critical": None}
    for name in ("forecast_minutes", "disk_forecast_minutes")
}
# The verdict of a host that was left out of this many readings, and for this long, is out of date.
_MISSED, _MISSED_SECONDS = 3, 600


@dataclass(frozen=True)
class Past:
    """The readings of one host: those of health, oldest first, and the number of the last reading of each other source.

    `newest` is when any host was last judged, in seconds since 1970.
    """

    readings: Sequence[Taken]
    others: Sequence[int]
    newest: float | None


class Look:
    """The history and the stretch of time that all hosts of a report are looked at with."""

    def __init__(self, history: History | None, begin: float, end: float) -> None:
        self._history, self._begin, self._end = history, begin, end
        self._width = (end - begin) / BUCKETS
        self._metrics = report_series.wanted(history.metrics()) if history else []

    def box(self, name: str, result: Mapping[str, Any] | None, past: Past) -> Box:
        """Return a host. `result` is what health has just returned of it, None if it was not asked."""
        readings = past.readings
        judged = next((reading for reading in reversed(readings) if reading.verdict in _JUDGED), None)
        recorded = self._history.samples(judged.reading) if self._history and judged else []
        if result:
            found, samples, kills = self._fresh(name, result)
        else:
            found, samples, kills = self._recorded(name, past), None, []
        verdicts = [(reading.taken, reading.verdict or "unknown") for reading in readings]
        if found.read is not None and (not verdicts or verdicts[-1][0] < found.read):
            verdicts.append((found.read, found.verdict))
        found = self._with_others(found, past.others)
        since, before = _lasting(found.verdict, verdicts)
        found = replace(found, since=since, before=before, verdicts=self._strip(verdicts))
        kills = [kill for kill in kills if kill.killed is None or kill.killed >= self._begin]
        if self._history is not None:
            kills = united([kill for _box, kill in self._history.kills(name, self._begin)], kills)
            found = replace(
                found,
                series=self._series(self._history, name),
                state=self._history.state(name),
                changes=tuple(spread.changes(self._history.changes(name, self._begin))),
            )
            if judged is not None and found.verdict in _JUDGED:
                found = replace(found, forecasts=self._foresee(self._history, name, recorded, judged))
        shown = recorded if samples is None else samples
        return replace(
            found,
            kills=tuple(sorted(kills, key=lambda kill: kill.killed or 0)),
            samples={(one.metric, one.subject): one for one in shown if _is_number(one.value)},
        )

    def _fresh(self, name: str, result: Mapping[str, Any]) -> tuple[Box, list[Sample] | None, list[Kill]]:
        """Return the host by a result of health, with its samples, if there are any, and its OOM kills."""
        if result.get("unreachable"):
            row = _table.down(name, result)
            return Box(name, row.verdict, _reasons(row), self._end), None, []
        if "verdict" not in result:
            return Box(name, "unknown", _reasons(_table.unknown(name, result)), self._end), None, []
        facts = result["ansible_facts"]
        return (
            Box(name, result["verdict"], tuple(result["findings"]), self._end),
            history_samples.samples(facts, result["workers"]),
            history_samples.kills(facts),
        )

    def _recorded(self, name: str, past: Past) -> Box:
        """Return the host by its last reading in the history."""
        if self._history is None or not past.readings or past.newest is None:
            return Box(name, "unknown", ({"severity": "unknown", "message": "it was never read"},))
        last = past.readings[-1]
        findings: tuple[Reason, ...] = tuple(self._history.findings(reading=last.reading))
        verdict = last.verdict or "unknown"
        silent = past.newest - last.taken
        lately = past.readings[-20:]
        steps = [after.taken - before.taken for before, after in zip(lately, lately[1:])]
        if not steps or silent <= max(_MISSED * statistics.median(steps), _MISSED_SECONDS):
            return Box(name, verdict, findings, last.taken)
        message = f"last read {format_duration(silent)} before the others; it was {verdict} then"
        reason: Reason = {"severity": "unknown", "message": message}
        return Box(name, "unknown", (reason, *findings), last.taken, missed=True)

    def _with_others(self, found: Box, readings: Iterable[int]) -> Box:
        """Return the host with the findings of other sources, such as a falling throughput. They never improve its
        verdict."""
        history = self._history
        added: list[Reason] = []
        if history is not None:
            added = [finding for reading in readings for finding in history.findings(reading=reading)]
        worst = min((finding["severity"] for finding in added), key=_table.VERDICTS.index, default="ok")
        is_worse = _table.VERDICTS.index(worst) < _table.VERDICTS.index(found.verdict)
        findings = sorted([*found.findings, *added], key=lambda finding: _table.VERDICTS.index(finding["severity"]))
        verdict = worst if is_worse and found.verdict in _JUDGED else found.verdict
        return replace(found, verdict=verdict, findings=tuple(findings))

    def _strip(self, past: Iterable[tuple[float, str]]) -> tuple[str | None, ...]:
        """Return the worst verdict of each bucket, None without a reading."""
        strip: list[str | None] = [None] * BUCKETS
        for taken, verdict in past:
            at = min(BUCKETS - 1, int((taken - self._begin) / self._width))
            if verdict in _table.VERDICTS and at >= 0:
                known = strip[at]
                if known is None or _table.VERDICTS.index(verdict) < _table.VERDICTS.index(known):
                    strip[at] = verdict
        return tuple(strip)

    def _series(self, history: History, name: str) -> dict[Key, list[Bucket]]:
        found: dict[Key, list[Bucket]] = {}
        if not self._metrics:
            return found
        for key, whole in history.buckets(name, self._metrics, self._begin, self._width).items():
            buckets = [bucket for bucket in whole if _is_number(bucket.low) and _is_number(bucket.high)]
            shown = report_series.rates(buckets) if key[0] in report_series.COUNTERS else buckets
            if shown:
                found[key] = shown
        return found

    def _foresee(self, history: History, name: str, samples: Sequence[Sample], judged: Taken) -> tuple[Forecast, ...]:
        """Return the forecasts as they were when the host was last judged."""

        def before(points: Iterable[Point]) -> list[Point]:
            return [point for point in points if point.taken < judged.taken]

        recent = history.recent(name, list(trends.RESOURCES), self._begin)
        past = {key: before(points) for key, points in recent.items()}
        return tuple(
            trends.foresee(
                past,
                samples,
                judged.taken,
                judged.booted,
                _HORIZON,
                lambda metric, subject: before(history.series(name, metric, subject, self._begin)),
            )
        )


def united(kills: Iterable[Kill], fresh: Iterable[Kill]) -> list[Kill]:
    """Return the kills of both, each once."""
    found = list(kills)
    for kill in fresh:
        if not any(_same(kill, known) for known in found):
            found.append(kill)
    return found


def _same(one: Kill, other: Kill) -> bool:
    if one.pid != other.pid:
        return False
    if one.killed is None or other.killed is None:
        return one.killed == other.killed
    return abs(one.killed - other.killed) <= SAME_KILL_SECONDS


def _lasting(verdict: str, past: Sequence[tuple[float, str]]) -> tuple[float | None, str | None]:
    """Return since when the verdict has been the same, and the verdict before."""
    since = None
    for taken, was in reversed(past):
        if was != verdict:
            return since, was
        since = taken
    return since, None


def _reasons(row: _table.Row) -> tuple[Reason, ...]:
    return tuple({"severity": row.verdict, "message": reason} for reason in row.reasons)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)
