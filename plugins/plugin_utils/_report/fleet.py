# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the content of a report: a fleet and its hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Forecast
from ansible_collections.lifeline.fleet.plugins.plugin_utils._compare.spread import Difference
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import (
    Bucket,
    Change,
    Kill,
    Sample,
    StateValue,
)
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Key
from ansible_collections.lifeline.fleet.plugins.plugin_utils._report import series as report_series

# The number of stretches of time that the pictures are made of.
BUCKETS = 96

# A group's name, its hosts, and what differs between them.
GroupDifferences = tuple[str, list[str], list[Difference]]


class Reason(TypedDict):
    """A finding as far as the report needs it."""

    severity: str
    message: str


@dataclass(frozen=True)
class Box:
    """One host. `read` is when it was last judged, `since` when it got its verdict, and `before` the verdict before.

    `missed` says that it was left out of the last readings. `verdicts` has the worst verdict of each bucket.
    """

    name: str
    verdict: str
    findings: tuple[Reason, ...] = ()
    read: float | None = None
    missed: bool = False
    since: float | None = None
    before: str | None = None
    samples: Mapping[Key, Sample] = field(default_factory=dict)
    series: Mapping[Key, list[Bucket]] = field(default_factory=dict)
    verdicts: tuple[str | None, ...] = ()
    kills: tuple[Kill, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    changes: tuple[Change, ...] = ()
    state: Mapping[str, StateValue] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """The share of the memory that is left, in percent."""
        memory = self.samples.get(report_series.MEMORY)
        return 100.0 if memory is None or not memory.capacity else 100.0 * (1 - memory.value / memory.capacity)


@dataclass(frozen=True)
class Fleet:
    """All hosts, worst first, at the time `made`.

    `begin` and `end` bound the pictures. `history` is the path of the history, None without one. `fresh` says whether
    hosts were asked.
    """

    made: float
    begin: float
    end: float
    boxes: tuple[Box, ...]
    history: str | None = None
    fresh: bool = True
    differences: tuple[GroupDifferences, ...] = ()
    ahead: int = 0

    @property
    def newest(self) -> float | None:
        """Return the time of the last reading."""
        return max((box.read for box in self.boxes if box.read is not None), default=None)
