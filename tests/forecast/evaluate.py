# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the forecast at a reading of a trace, made in the way of health, with the later readings."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._judge import thresholds
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast import trends
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast.forecast import forecast
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import store as history_store
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Sample
from forecast import traces

# The forecast's constants were tuned on the traces of the seeds below 1000, so those cannot measure it.
FIRST_SEED = 1000

_THRESHOLDS = thresholds.defaults()
# The first few readings of a trace are not judged: they are too few for a forecast.
_FIRST = 8


class Accuracy(NamedTuple):
    """`right` is the share of forecasts within 20 % of the true time, `none` the share of traces without a forecast."""

    traces: int
    right: float
    none: float
    error: float
    worst: float
    covered: float


class Alarms(NamedTuple):
    readings: int
    alarms: int
    traces: int

    @property
    def per_thousand(self):
        return 1000 * self.alarms / self.readings


class Notice(NamedTuple):
    """`warned` is the share of leaks with a forecast; `left` is the median share of their time that was then left."""

    traces: int
    warned: float
    left: float


def accuracy(chosen, readings):
    """Return how far off the forecasts are after this number of readings of the leak."""
    errors, covered, count = [], 0, 0
    for trace in chosen:
        leaking = [number for number, point in enumerate(trace.points) if point.taken >= trace.began]
        if len(leaking) <= readings:
            continue
        count += 1
        place = leaking[readings - 1]
        true = trace.ends - trace.points[place].taken
        told = forecast(trace.points[max(0, place + 1 - history_store.FURTHEST) : place + 1])
        if told is not None:
            errors.append(abs(told.seconds - true) / true)
            covered += told.low - 1 <= true <= told.high + 1
    if not errors:
        return Accuracy(count, 0, 1, 0, 0, 0)
    errors.sort()
    return Accuracy(
        count,
        sum(error <= 0.2 for error in errors) / count,
        1 - len(errors) / count,
        statistics.median(errors),
        errors[round(0.95 * (len(errors) - 1))],
        covered / len(errors),
    )


def alarms(chosen):
    """Return how often health would have warned about a healthy trace."""
    readings = found = count = 0
    for trace in chosen:
        count += 1
        for place in range(_FIRST, len(trace.points)):
            readings += 1
            found += bool(findings(trace, place))
    return Alarms(readings, found, count)


def notice(chosen):
    """Return how long before the end of a trace health would have warned."""
    left = []
    count = 0
    for trace in chosen:
        count += 1
        first = next(
            (
                point
                for place, point in enumerate(trace.points)
                if point.taken >= trace.began and findings(trace, place)
            ),
            None,
        )
        if first is not None:
            left.append((trace.ends - first.taken) / (trace.ends - trace.began))
    return Notice(count, len(left) / count, statistics.median(left) if left else 0)


def findings(trace, place):
    """Return the findings of health at one reading."""
    points, now = trace.points[max(0, place - history_store.FURTHEST) : place], trace.points[place]
    metric = "disk_used_bytes" if trace.disk else "memory_used_bytes"
    few = [points[-number] for number in reversed(history_store.PLACES) if number <= len(points)]
    sample = Sample(metric, "", now.value, now.capacity, now.started)
    return trends.foresee(
        {(metric, ""): few}, [sample], now.taken, now.started, _THRESHOLDS, lambda metric, subject: points
    )


def leaks(name, count):
    return (traces.LEAKS[name](FIRST_SEED + seed) for seed in range(count))


def healthy(name, count, readings, intervals=(15, 60, 300)):
    return (
        traces.healthy(name, FIRST_SEED + seed, readings, interval) for interval in intervals for seed in range(count)
    )
