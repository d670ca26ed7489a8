# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecasts of all resources of a host, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._contract import facts as contract
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast.forecast import Forecast, forecast, may_end
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point, Sample

# An older past is ignored: the host may have been a different one.
PAST_SECONDS = 7 * 86400

# A finding looks at most this many times as far ahead as its trend is long, which is a third of the way. A worker that
# warms up grows as evenly, but not for long.
_REACH = 2


@dataclass(frozen=True)
class Resource:
    """A resource: the name of its threshold, and the text for its end, with the fields `subject` and `capacity`."""

    check: str
    text: str


RESOURCES = {
    "memory_used_bytes": Resource("forecast_minutes", "memory exhausted"),
    "slab_unreclaimable_bytes": Resource("forecast_minutes", "memory exhausted by the kernel's unreclaimable slab"),
    "fds_allocated": Resource("forecast_minutes", "the system out of descriptors"),
    "process_fds": Resource("forecast_minutes", "{subject} out of descriptors"),
    "worker_rss_bytes": Resource("forecast_minutes", "{subject} at the {capacity} that it may use"),
    "disk_used_bytes": Resource("disk_forecast_minutes", "{subject} full"),
    "inodes_used": Resource("disk_forecast_minutes", "{subject} out of inodes"),
}


def horizons(thresholds: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Return by metric how many seconds ahead the thresholds look. Metrics without a threshold are left out."""
    minutes = {
        metric: [level for level in thresholds[resource.check].values() if level is not None]
        for metric, resource in RESOURCES.items()
    }
    return {metric: 60 * max(levels) for metric, levels in minutes.items() if levels}


def foresee(
    past: Mapping[tuple[str, str], Sequence[Point]],
    samples: Iterable[Sample],
    taken: float,
    booted: float | None,
    thresholds: Mapping[str, Mapping[str, float | None]],
    whole: Callable[[str, str], Iterable[Point]],
) -> list[contract.Forecast]:
    """Return what will be used up within the thresholds' horizons, soonest first.

    `past` are a few points of each series by metric and subject, and `samples` were read at the time `taken`. `whole`
    returns all points of a metric and subject; it is called only if the few points permit an end in time.
    """
    found: list[contract.Forecast] = []
    ahead = horizons(thresholds)
    for sample in samples:
        within, points = ahead.get(sample.metric), past.get((sample.metric, sample.subject))
        if within is None or not points:
            continue
        now = Point(taken, sample.value, sample.capacity, booted if sample.started is None else sample.started)
        if not may_end([*points, now], within):
            continue
        seen = forecast([*whole(sample.metric, sample.subject), now], within, _REACH)
        if seen is not None:
            found.append(_describe(RESOURCES[sample.metric], sample, seen))
    return sorted(found, key=lambda one: one["seconds"])


def _describe(resource: Resource, sample: Sample, seen: Forecast) -> contract.Forecast:
    capacity = sample.capacity or 0
    size = format_size(capacity) if sample.metric.endswith("_bytes") else capacity
    text = resource.text.format(subject=sample.subject, capacity=size)
    return {
        "check": resource.check,
        "metric": sample.metric,
        "subject": sample.subject or None,
        "value": sample.value,
        "capacity": capacity,
        "rate_per_hour": round(seen.rate * 3600, 2),
        "seconds": round(seen.seconds),
        "seconds_low": round(seen.low),
        "seconds_high": round(seen.high),
        "since": timestamp(seen.since),
        "message": f"{text} {in_about(seen.seconds, seen.low, seen.high)}",
    }


def in_about(seconds: float, low: float, high: float) -> str:
    """Return a time for people, such as `in about 40 minutes (25 to 70)`."""
    if seconds < 60:
        return "within a minute"
    unit, name = (86400, "day") if seconds >= 129600 else (3600, "hour") if seconds >= 5400 else (60, "minute")
    about, earliest, latest = (_round(value / unit, name == "minute") for value in (seconds, low, high))
    words = f"in about {about} {name}{'' if about == '1' else 's'}"
    return words if earliest == latest else f"{words} ({earliest} to {latest})"


def _round(value: float, whole: bool) -> str:
    return f"{value:.0f}" if whole or value >= 9.5 else (f"{value:.1f}").replace(".0", "")
