# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rows per hour say of a worker: its best hour, its latest, whether it degrades, and in what words.

A rate that only wavers must not be called degrading. What counts is therefore not one low hour, but hours that fall one after the other, or
a low that has lasted, and a difference that chance can't explain in counts of that size.
"""

from __future__ import annotations

from itertools import combinations
from math import floor, log10, sqrt

from ansible_collections.lifeline.fleet.plugins.module_utils._statistics import median, slopes

CHECK = "throughput_times_slower"
# How many times slower than its best hour a worker must have become.
WARNING, CRITICAL = 3, 10

# What can be said to be a trend at all.
_FEWEST = 3
# Kendall's tau of at least so many hours since the best one: of their pairs, 85 % have the later one lower.
_FALLING, _FALLING_HOURS = -0.7, 4
# Counts of rare events scatter by the root of their mean; four times that is chance once in some 30,000 hours.
_SIGMAS = 4


def judge(hours, warning=WARNING, critical=CRITICAL, noun="hour", subject=None):
    """A verdict on V(hours), dictionaries with start and rows, each of the same length, the earliest first.

    What came before the first row is left out: the table or the worker was not there yet.
    """
    first = next((number for number, hour in enumerate(hours) if hour["rows"]), len(hours))
    hours = hours[first:]
    counts = [hour["rows"] for hour in hours]
    found = {
        "verdict": "steady",
        "message": None,
        "best": None,
        "latest": hours[-1] if hours else None,
        "times_slower": None,
        "slope": slope(counts),
        "findings": [],
    }
    if not hours:
        return dict(found, verdict="no rows", message="no rows at all")
    best = found["best"] = max(hours, key=lambda hour: hour["rows"])
    latest = hours[-1]
    if latest["rows"]:
        found["times_slower"] = round(best["rows"] / latest["rows"], 2)
    found["verdict"] = _verdict(counts, warning)
    found["message"] = _message(found, noun)
    if found["verdict"] in ("degrading", "stopped"):
        severity, threshold = "critical", critical
        if found["times_slower"] is not None and found["times_slower"] < critical:
            severity, threshold = "warning", warning
        found["findings"] = [
            {
                "check": CHECK,
                "severity": severity,
                "subject": subject,
                "value": found["times_slower"],
                "threshold": threshold,
                "unit": "times",
                "message": found["message"],
            }
        ]
    return found


def _verdict(counts, warning):
    best, latest = max(counts), counts[-1]
    if len(counts) < _FEWEST:
        return "too few hours"
    since = counts[counts.index(best) + 1 :]
    zeros = next(number for number, count in enumerate(reversed(counts)) if count)
    if zeros and is_fewer(0, zeros * median(counts[:-zeros])):
        return "stopped"
    if latest * warning > best or not is_fewer(latest, best):
        return "steady"
    low = min(since)
    if latest > low and latest >= 2 * low and is_fewer(low, latest) and latest == max(since[since.index(low) :]):
        return "recovering"
    recent, before = counts[-3:], counts[:-3]
    lasting = len(before) >= _FEWEST and median(recent) * warning <= median(before)
    return "degrading" if lasting or len(since) >= _FALLING_HOURS and tau(since) <= _FALLING else "steady"


def _message(found, noun):
    verdict, best, latest = found["verdict"], found["best"], found["latest"]
    rows = f"{latest['rows']} rows in the latest whole {noun}, {best['rows']} in the best ({best['start']})"
    if verdict == "stopped":
        return "stopped, " + rows
    if verdict in ("degrading", "recovering"):
        return f"{verdict}, {'still ' if verdict == 'recovering' else ''}{times(found['times_slower'])} times slower than its best {noun}: {rows}"
    return f"{verdict}, {rows}"


def times(factor):
    """How many times, in words, never more than it is: C(3.4), and from 10 on the leading digit alone, C(80) for 86.45."""
    if factor < 10:
        return (f"{floor(factor * 10 + 1e-06) / 10:.1f}").replace(".0", "")
    unit = 10 ** floor(log10(factor) + 1e-9)
    return f"{int(floor(factor / unit + 1e-09) * unit)}"


def is_fewer(count, expected):
    """Whether V(count) is less than V(expected) by more than chance."""
    return expected - count > _SIGMAS * sqrt(expected)


def slope(counts):
    """By how much the rows per hour change in an hour (Theil and Sen: the median over all pairs); None for fewer than two hours."""
    found = slopes(range(len(counts)), counts)
    return round(median(found), 2) if found else None


def tau(counts):
    """Kendall's: 1 where every count is above all before it, -1 where it is below all of them."""
    pairs = list(combinations(counts, 2))
    return sum((later > earlier) - (later < earlier) for earlier, later in pairs) / len(pairs)
