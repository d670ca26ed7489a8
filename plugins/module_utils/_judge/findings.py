# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare values with thresholds, and collect the findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Union

from ansible_collections.lifeline.fleet.plugins.module_utils._contract import facts as contract
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import (
    CHECKS,
    COMPANIONS,
    Thresholds,
    urgency,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size

SEVERITIES = ("ok", "warning", "critical")

Number = Union[int, float]


@dataclass(frozen=True)
class Finding:
    """One reason why a host is in danger."""

    check: str
    severity: str
    subject: Optional[str]
    value: float
    threshold: float
    unit: str
    message: str

    def as_dict(self) -> contract.Finding:
        """Return the finding as the facts' contract has it."""
        return {
            "check": self.check,
            "severity": self.severity,
            "subject": self.subject,
            "value": self.value,
            "threshold": self.threshold,
            "unit": self.unit,
            "message": self.message,
        }


class Findings:
    """Compare values with the thresholds of one host, and collect the findings."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self.found: List[Finding] = []

    def hold(
        self,
        name: str,
        value: Optional[Number],
        message: str,
        subject: Optional[str] = None,
        left: Optional[Number] = None,
        at_most: str = "critical",
    ) -> None:
        """Add a finding if `value` has reached a threshold of the check `name`.

        `left` is held against the check's companion: a level strikes only if both strike. It doesn't matter if it is
        None. `at_most` caps the severity where the facts tell that the danger is a lesser one.
        """
        severity = self.level(name, value, left)
        threshold = None if severity is None else self._thresholds[name][severity]
        if value is None or severity is None or threshold is None:
            return
        capped = at_most if severity == "critical" else severity
        self.found.append(Finding(name, capped, subject, value, threshold, CHECKS[name].unit, message))

    def level(self, name: str, value: Optional[Number], left: Optional[Number] = None) -> Optional[str]:
        """Return the severity that a value reaches, None if it reaches none. `left` is as in `hold`."""
        if value is None:
            return None
        for severity in ("critical", "warning"):
            threshold = self._thresholds[name][severity]
            reached = threshold is not None and CHECKS[name].reached(value, threshold)
            if reached and not self._spared(name, severity, left):
                return severity
        return None

    def _spared(self, name: str, severity: str, left: Optional[Number]) -> bool:
        companion = COMPANIONS.get(name)
        if companion is None or left is None:
            return False
        threshold = self._thresholds[companion][severity]
        return threshold is not None and not CHECKS[companion].reached(left, threshold)

    def sorted(self) -> List[Finding]:
        """Return the findings, the worst first, then those that end the host soonest."""
        return sorted(self.found, key=lambda finding: (-SEVERITIES.index(finding.severity), urgency(finding.check)))


def size_text(count: Optional[int]) -> str:
    return "?" if count is None else format_size(count)


def number_text(value: Optional[Number]) -> str:
    return "?" if value is None else f"{value:.3g}"
