# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The series of a history as the report shows them: names, numbers, and which of them get a picture."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Bucket
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Key

MEMORY = ("memory_used_bytes", "")
WORKER = "worker_rss_bytes"
DISK = "disk_used_bytes"
_HOURLY = "_per_hour"


@dataclass(frozen=True)
class Kind:
    """A kind of series: its name, with `{}` for its subject, and the value below which it gets no picture."""

    label: str
    calm: float = 0.0


# In the order of the pictures. `calm` is a share of the capacity if the series has one, otherwise a value.
KINDS = {
    MEMORY[0]: Kind("memory", -1),
    WORKER: Kind("RSS of {}", -1),
    "swap_used_bytes": Kind("swap", 0.1),
    "slab_unreclaimable_bytes": Kind("unreclaimable slab", 0.2),
    DISK: Kind("space of {}", 0.6),
    "inodes_used": Kind("inodes of {}", 0.6),
    "fds_allocated": Kind("descriptors", 0.4),
    "process_fds": Kind("descriptors of {}", 0.5),
    "load_per_cpu": Kind("load per CPU", 1),
    "memory_pressure_percent": Kind("memory pressure", 1),
    "steal_percent": Kind("steal", 5),
}
# Counters: the page shows their rate, unless the rate was recorded as well.
COUNTERS = ("sidekiq_processed", "sidekiq_failed")
_RATES = {"sidekiq_processed": "jobs an hour", "sidekiq_failed": "failed jobs an hour"}


def is_throughput(metric: str) -> bool:
    """Return whether a metric counts work, so more of it is better."""
    return metric == "sidekiq_processed" or (metric.endswith(_HOURLY) and not _counts_failures(metric))


def _counts_failures(metric: str) -> bool:
    return metric.startswith("sidekiq_failed")


def wanted(metrics: Collection[str]) -> list[str]:
    """Return the metrics that can have a picture, out of all metrics of a history."""
    return [
        name
        for name in metrics
        if name in KINDS or name.endswith(_HOURLY) or (name in COUNTERS and name + _HOURLY not in metrics)
    ]


def label(metric: str, subject: str) -> str:
    """Return the name of a series."""
    kind = KINDS.get(metric)
    if kind is not None:
        return kind.label.format(subject)
    name = metric[: -len(_HOURLY)] if metric.endswith(_HOURLY) else metric
    text = _RATES.get(name) or f"{name.replace('_', ' ')} an hour"
    return f"{text} of {subject}" if subject else text


def number(metric: str, value: float | None) -> str:
    """Return a value of a metric for people."""
    if value is None:
        return "?"
    if metric.endswith("_bytes"):
        return str(format_size(value))
    if metric.endswith("_percent"):
        return f"{_figures(value)} %"
    return _figures(value)


def _figures(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2g}"


def rates(buckets: Sequence[Bucket]) -> list[Bucket]:
    """Return the hourly rate of a counter in each bucket. Buckets in which the counter was reset are left out."""
    found = []
    for before, after in zip(buckets, buckets[1:]):
        seconds = after.taken - before.taken
        if seconds > 0 and after.high >= before.high and after.low >= before.high:
            rate = (after.high - before.high) * 3600 / seconds
            found.append(Bucket(after.number, rate, rate, after.taken, None, after.started))
    return found


def merged(buckets: Sequence[Bucket], by: int) -> list[Bucket]:
    """Return the series in buckets that are `by` times as long."""
    found: list[Bucket] = []
    for bucket in buckets:
        at = bucket.number // by
        if found and found[-1].number == at:
            last = found[-1]
            found[-1] = bucket._replace(number=at, low=min(last.low, bucket.low), high=max(last.high, bucket.high))
        else:
            found.append(bucket._replace(number=at))
    return found


def capacity(buckets: Sequence[Bucket]) -> float | None:
    """Return the most that a series can become, None if it has no limit."""
    known = [bucket.capacity for bucket in buckets if bucket.capacity]
    return known[-1] if known else None


def is_calm(metric: str, buckets: Sequence[Bucket]) -> bool:
    """Return whether a series needs no picture."""
    most, limit = max(bucket.high for bucket in buckets), capacity(buckets)
    if metric not in KINDS:
        return _counts_failures(metric) and most == 0
    return most / (limit or 1) <= KINDS[metric].calm


def order(key: Key) -> tuple[float, str, str]:
    """Return a sort key for pictures: memory, throughput, and the rest in the order of `KINDS`."""
    metric, subject = key
    names = list(KINDS)
    return (names.index(metric) if metric in KINDS else 0.5 if is_throughput(metric) else len(names)), metric, subject


def gap(buckets: Sequence[Bucket]) -> float:
    """Return the distance of two buckets, in buckets, beyond which a line is interrupted."""
    steps = [after.number - before.number for before, after in zip(buckets, buckets[1:])]
    return 2 * statistics.median(steps) + 1 if steps else 1


def restarts(buckets: Sequence[Bucket]) -> list[int]:
    """Return the numbers of the buckets after a restart."""
    return [
        after.number
        for before, after in zip(buckets, buckets[1:])
        if before.started is not None and after.started is not None and after.started - before.started > 60
    ]
