# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which boxes get far less done than their peers."""

from __future__ import annotations

from statistics import median_low

from ansible_collections.lifeline.fleet.plugins.module_utils._database.throughput import is_fewer, times
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

CHECK = "throughput_times_below_peers"
# How many times slower than its peers a box must be: a fifth of their rate is where a box was that was about to die.
WARNING, CRITICAL = 5, 20
# With two boxes there is no telling which of them is the odd one.
_FEWEST = 3


def judge(rates, per=None, warning=WARNING, critical=CRITICAL):
    """Findings as health has them, the slowest box first.

    V(rates) are rows or jobs per hour by the box's name, None where the rate is unknown. V(per) is what to divide them by, such as the
    threads of each box. A box is held against the median of the others, which it can't move itself, and of the two in the middle the lower
    one. Raises SettingsError.
    """
    warning, critical = _number(warning, "warning"), _number(critical, "critical")
    if not 1 < warning <= critical:
        raise SettingsError(
            f"warning is {warning:g} and critical {critical:g}: they must be more than 1, and warning at most critical"
        )
    if not isinstance(rates, dict) or not isinstance(per or {}, dict):
        raise SettingsError(
            "the rates, and what they are divided by, must be dictionaries by the box's name, such as {crawler3: 11500}"
        )
    rates = {box: _number(rate, f"the rate of {box}") for box, rate in rates.items() if rate is not None}
    sizes = {box: _size(box, per) for box in rates}
    if len(rates) < _FEWEST:
        return []
    findings = []
    for box, rate in rates.items():
        expected = sizes[box] * median_low(rates[other] / sizes[other] for other in rates if other != box)
        if rate * warning <= expected and is_fewer(rate, expected):
            findings.append(_finding(box, rate, expected, warning, critical))
    return sorted(findings, key=lambda finding: -(finding["value"] or float("inf")))


def _finding(box, rate, expected, warning, critical):
    factor = round(expected / rate, 2) if rate else None
    severity, threshold = ("critical", critical) if factor is None or factor >= critical else ("warning", warning)
    if factor is None:
        message = f"{box} gets nothing done in an hour, and by its peers it would be {round(expected, 1):g}"
    else:
        message = f"{box} is {times(factor)} times slower than its peers: {round(rate, 1):g} in an hour, and by them it would be {round(expected, 1):g}"
    return {
        "check": CHECK,
        "severity": severity,
        "subject": box,
        "value": factor,
        "threshold": threshold,
        "unit": "times",
        "message": message,
    }


def _size(box, per):
    if per is None:
        return 1
    if box not in per:
        raise SettingsError(f"there is nothing to divide the rate of {box} by: it must be a number, more than 0")
    size = _number(per[box], f"what the rate of {box} is divided by")
    if size == 0:
        raise SettingsError(f"the rate of {box} can't be divided by 0")
    return size


def _number(value, name):
    try:
        number = -1 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < float("inf"):
        raise SettingsError(f"{name} is {value!r}: it must be a number, 0 or more")
    return number
