# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Define the records that go into a history and come out of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Finding

# Clocks are adjusted now and then. A time that is further ahead than this is from a clock that was wrong.
AHEAD_SECONDS = 60

# What JSON can hold. `object`, because a recursive type would have to be narrowed at every use.
StateValue = object


class RecordedFinding(Finding):
    """A finding from a history, with the host and the time of its reading."""

    box: str
    taken: float


class Sample(NamedTuple):
    """One number of a reading.

    `subject` is what the number is of, an empty text for the host itself. `capacity` is the most that it can become.
    `started` is when it began to count, in seconds since 1970; None means when the host was booted.
    """

    metric: str
    subject: str
    value: float
    capacity: float | None = None
    started: float | None = None


class Kill(NamedTuple):
    """An OOM kill. `killed` is in seconds since 1970, None if the log has no time."""

    killed: float | None
    pid: int | None
    name: str | None
    killer: str = "kernel"
    scope: str | None = None
    unit: str | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True)
class Reading:
    """The record of one probe of a host.

    `state` maps names to values that JSON can hold. A value is stored only if it has changed. `whole` are prefixes of
    names, each with a colon at its end: all names with such a prefix are in `state`, so a known name that is missing
    there is recorded as gone.
    """

    box: str
    source: str
    taken: float = field(default_factory=time.time)
    verdict: str | None = None
    booted: float | None = None
    samples: Iterable[Sample] = ()
    findings: Iterable[Finding] = ()
    kills: Iterable[Kill] = ()
    state: Mapping[str, StateValue] = field(default_factory=dict)
    whole: tuple[str, ...] = ()


class Point(NamedTuple):
    """One value of a series."""

    taken: float
    value: float
    capacity: float | None = None
    started: float | None = None


class Bucket(NamedTuple):
    """A stretch of a series: its lowest and highest value, last reading, and greatest `capacity` and `started`."""

    number: int
    low: float
    high: float
    taken: float
    capacity: float | None = None
    started: float | None = None


class Taken(NamedTuple):
    """A reading that was recorded, without the values that it holds."""

    reading: int
    box: str
    taken: float
    source: str
    verdict: str | None
    booted: float | None


class Change(NamedTuple):
    """A value of a host's state that has changed. None stands for "not there"."""

    taken: float
    name: str
    before: StateValue
    after: StateValue
