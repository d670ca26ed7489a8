# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the rows per hour of a worker: its best hour, its latest one, whether it degrades, and a sentence about it.

A rate that only fluctuates must not be called degrading. So a single low hour does not count: the hours must fall one
after another, or stay low, by more than chance explains for counts of that size.
"""

from __future__ import annotations

from itertools import combinations
from math import floor, log10, sqrt
from typing import List, Optional, Sequence, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._database.row_count import Hour
from ansible_collections.lifeline.fleet.plugins.module_utils._statistics import median, slopes

CHECK = "throughput_times_slower"
# How many times slower than its best hour a worker is for a warning, and for a critical finding.
WARNING, CRITICAL = 3, 10

# Fewer hours than this show no trend.
_FEWEST = 3
# Kendall's tau of at least this many hours since the best one: in 85 % of all pairs the later hour is lower.
_FALLING, _FALLING_HOURS = -0.7, 4
# Counts of rare events scatter by the square root of their mean. Four times that happens once in 30,000 hours.
_SIGMAS = 4


class Finding(TypedDict):
    """A finding, in the form of those of `health`."""

    check: str
    severity: str
    subject: Optional[str]
    value: Optional[float]
    threshold: float
    unit: str
    message: Optional[str]


class Judged(TypedDict):
    """The verdict on a worker's hours."""

    verdict: str
    message: Optional[str]
    best: Optional[Hour]
    latest: Optional[Hour]
    times_slower: Optional[float]
    slope: Optional[float]
    findings: List[Finding]


def judge(
    hours: Sequence[Hour],
    warning: float = WARNING,
    critical: float = CRITICAL,
    noun: str = "hour",
    subject: Optional[str] = None,
) -> Judged:
    """Return the verdict on `hours`, all of one length, the earliest first.

    Hours before the first row are left out: the table or the worker did not exist yet. `noun` names the length in the
    message, `subject` the table in the finding.
    """
    first = next((number for number, hour in enumerate(hours) if hour["rows"]), len(hours))
    hours = hours[first:]
    if not hours:
        return {
            "verdict": "no rows",
            "message": "no rows at all",
            "best": None,
            "latest": None,
            "times_slower": None,
            "slope": None,
            "findings": [],
        }
    counts = [hour["rows"] for hour in hours]
    best, latest = max(hours, key=lambda hour: hour["rows"]), hours[-1]
    times_slower = round(best["rows"] / latest["rows"], 2) if latest["rows"] else None
    verdict = _verdict(counts, warning)
    message = _message(verdict, best, latest, times_slower, noun)
    findings: List[Finding] = []
    if verdict in ("degrading", "stopped"):
        mild = times_slower is not None and times_slower < critical
        findings.append(
            {
                "check": CHECK,
                "severity": "warning" if mild else "critical",
                "subject": subject,
                "value": times_slower,
                "threshold": warning if mild else critical,
                "unit": "times",
                "message": message,
            }
        )
    return {
        "verdict": verdict,
        "message": message,
        "best": best,
        "latest": latest,
        "times_slower": times_slower,
        "slope": slope(counts),
        "findings": findings,
    }


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


def _message(verdict, best, latest, times_slower, noun):
    rows = f"{latest['rows']} rows in the latest whole {noun}, {best['rows']} in the best ({best['start']})"
    if verdict in ("degrading", "recovering"):
        still = "still " if verdict == "recovering" else ""
        return f"{verdict}, {still}{times(times_slower)} times slower than its best {noun}: {rows}"
    return f"{verdict}, {rows}"


def times(factor: float) -> str:
    """Return a factor as text, rounded down: 3.4, and from 10 on only the leading digit, as in 80 for 86.45."""
    if factor < 10:
        return f"{floor(factor * 10 + 1e-06) / 10:.1f}".replace(".0", "")
    unit = 10 ** floor(log10(factor) + 1e-9)
    return f"{int(floor(factor / unit + 1e-09) * unit)}"


def is_fewer(count: float, expected: float) -> bool:
    """Return whether `count` is below `expected` by more than chance explains."""
    return expected - count > _SIGMAS * sqrt(expected)


def slope(counts: Sequence[int]) -> Optional[float]:
    """Return the change from one hour to the next (Theil-Sen: the median over all pairs), or None below two hours."""
    found = slopes(range(len(counts)), counts)
    return round(median(found), 2) if found else None


def tau(counts: Sequence[int]) -> float:
    """Return Kendall's tau: 1 if every count is above all before it, -1 if it is below all of them."""
    pairs = list(combinations(counts, 2))
    return sum((later > earlier) - (later < earlier) for earlier, later in pairs) / len(pairs)
