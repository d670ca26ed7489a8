# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the hosts that get far less done than their peers."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median_low
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._database.throughput import is_fewer, times
from ansible_collections.lifeline.fleet.plugins.module_utils._errors import SettingsError

CHECK = "throughput_times_below_peers"
# How many times slower than its peers a host is. A host that was about to die did a fifth of what its peers did.
WARNING, CRITICAL = 5, 20
# With two hosts it is unknown which of them is the odd one.
_FEWEST = 3


class PeerFinding(TypedDict):
    """A finding as health returns it. `value` is None if the host got nothing done."""

    check: str
    severity: str
    subject: str
    value: float | None
    threshold: float
    unit: str
    message: str


def judge(
    rates: object, per: object = None, warning: object = WARNING, critical: object = CRITICAL
) -> list[PeerFinding]:
    """Return findings like those of health, the slowest host first. Raises SettingsError.

    `rates` are rows or jobs per hour by the host's name, None if a rate is unknown. `per` are numbers by the host's
    name that the rates are divided by, such as threads. A host is compared with the median of the others, which it
    cannot move itself; of the two values in the middle, the lower one counts.
    """
    slow, very_slow = _number(warning, "warning"), _number(critical, "critical")
    if not 1 < slow <= very_slow:
        raise SettingsError(f"warning: out of range ({slow:g}); use more than 1 and at most critical ({very_slow:g})")
    if not isinstance(rates, dict):
        raise SettingsError(_no_dictionary("rates", rates))
    if not (per is None or isinstance(per, dict)):
        raise SettingsError(_no_dictionary("per", per))
    known = {box: _number(rate, f"the rate of {box}") for box, rate in rates.items() if rate is not None}
    sizes = {box: _size(box, per) for box in known}
    if len(known) < _FEWEST:
        return []
    findings = []
    for box, rate in known.items():
        expected = sizes[box] * median_low(known[other] / sizes[other] for other in known if other != box)
        if rate * slow <= expected and is_fewer(rate, expected):
            findings.append(_finding(box, rate, expected, slow, very_slow))
    return sorted(findings, key=lambda finding: -(finding["value"] or float("inf")))


def _no_dictionary(name: str, value: object) -> str:
    return f"{name}: not a dictionary ({value!r}); give numbers by the box's name, as in {{web3: 50}}"


def _finding(box: str, rate: float, expected: float, warning: float, critical: float) -> PeerFinding:
    factor = round(expected / rate, 2) if rate else None
    severity, threshold = ("critical", critical) if factor is None or factor >= critical else ("warning", warning)
    if factor is None:
        message = f"{box} got nothing done in an hour; its peers would have done {round(expected, 1):g}"
    else:
        message = (
            f"{box} is {times(factor)} times slower than its peers: {round(rate, 1):g} in an hour; they would have done"
            f" {round(expected, 1):g}"
        )
    return {
        "check": CHECK,
        "severity": severity,
        "subject": box,
        "value": factor,
        "threshold": threshold,
        "unit": "times",
        "message": message,
    }


def _size(box: str, per: Mapping[str, object] | None) -> float:
    if per is None:
        return 1
    if box not in per:
        raise SettingsError(f"per: no number for a box ({box}); give a number above 0 for each box")
    size = _number(per[box], f"per: {box}")
    if size == 0:
        raise SettingsError(f"per: {box}: not a divisor (0); give a number above 0")
    return size


def _number(value: object, name: str) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1
    except (ValueError, OverflowError):
        number = -1
    if not 0 <= number < float("inf"):
        raise SettingsError(f"{name}: not a number of 0 or more ({value!r}); correct it")
    return number
