# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a box will be used up, and when: the forecasts of all its resources, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, timestamp
from ansible_collections.lifeline.fleet.plugins.plugin_utils._forecast.forecast import forecast, may_end
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point

# Further back a box may have been another one.
PAST_SECONDS = 7 * 86400

# A finding needs to have seen so much of what it foretells: a third of the way. A worker that warms up grows as evenly, but not for long.
_REACH = 2


@dataclass(frozen=True)
class Resource:
    """V(check) is the threshold's name, V(text) what happens when all is used up, of V(subject) and V(capacity)."""

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


def horizons(thresholds):
    """How many seconds ahead a threshold wants to know of it, by metric; those are left out that no threshold asks for."""
    minutes = {
        metric: [level for level in thresholds[resource.check].values() if level is not None]
        for metric, resource in RESOURCES.items()
    }
    return {metric: 60 * max(levels) for metric, levels in minutes.items() if levels}


def foresee(past, samples, taken, booted, thresholds, whole):
    """What will be used up before a threshold says that it is too late: dictionaries as health returns them, the soonest first.

    V(past) are lists of a few points by metric and subject, V(samples) what was read at the time V(taken), and V(whole) a function of
    metric and subject that gives all points there are: it is asked only where the few leave it open.
    """
    found, ahead = [], horizons(thresholds)
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


def _describe(resource, sample, seen):
    bytes_ = sample.metric.endswith("_bytes")
    text = resource.text.format(
        subject=sample.subject, capacity=format_size(sample.capacity) if bytes_ else sample.capacity
    )
    return {
        "check": resource.check,
        "metric": sample.metric,
        "subject": sample.subject or None,
        "value": sample.value,
        "capacity": sample.capacity,
        "rate_per_hour": round(seen.rate * 3600, 2),
        "seconds": round(seen.seconds),
        "seconds_low": round(seen.low),
        "seconds_high": round(seen.high),
        "since": timestamp(seen.since),
        "message": f"{text} {in_about(seen.seconds, seen.low, seen.high)}",
    }


def in_about(seconds, low, high):
    """When, for people: C(in about 40 minutes (25 to 70))."""
    if seconds < 60:
        return "within a minute"
    unit, name = (86400, "day") if seconds >= 129600 else (3600, "hour") if seconds >= 5400 else (60, "minute")
    about, earliest, latest = (_round(value / unit, name == "minute") for value in (seconds, low, high))
    words = f"in about {about} {name}{'' if about == '1' else 's'}"
    return words if earliest == latest else f"{words} ({earliest} to {latest})"


def _round(value, whole):
    return f"{value:.0f}" if whole or value >= 9.5 else (f"{value:.1f}").replace(".0", "")
