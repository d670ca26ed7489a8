# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare hosts of one purpose: find numbers that stand out, and states that differ."""

from __future__ import annotations

import fnmatch
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Change, StateValue

# A modified z-score beyond this is an outlier (Iglewicz and Hoaglin 1993). The factor scales the median absolute
# deviation (MAD) of a normal distribution to its sigma.
SCORE = 3.5
_SIGMA = 0.6745
# A value that is nearer to the median than this percentage of it is no outlier, however similar the others are.
FLOOR = 10.0
# With three hosts, one of them can always be far from the other two.
FEWEST = 4

# The least distance that matters, by the end of a metric's name.
_LEAST = (
    ("_percent", 5),
    ("_bytes", 16 << 20),
    ("inodes_used", 1000),
    ("load_per_cpu", 0.5),
    ("fds_allocated", 500),
    ("process_fds", 50),
    ("processes", 10),
)

# Sizes, and the values that the kernel or systemd computes from the size of the memory at boot: they differ a little
# between equal hosts.
_FROM_MEMORY = re.compile(
    r"(memory_bytes|swap_bytes|fds_maximum|filesystem:.*:size_bytes|limit:.*:(nproc|sigpending|memlock)"
    r"|sysctl:(fs\.file-max|fs\.(epoll|inotify|fanotify)\.max_user_(watches|marks)|kernel\.threads-max|vm\.(min_free|user_reserve|admin_reserve"
    r")_kbytes|net\.ipv4\.(tcp|udp)_mem|net\.ipv4\.tcp_[rw]mem|net\.ipv4\.tcp_max_(orphans|tw_buckets|syn_backlog)"
    r"|net\.(netfilter\.)?nf_conntrack_(max|buckets|expect_max)|user\.max_.*))\Z"
)
_ALIKE = 0.02
_NUMBERS = re.compile(r"\d+")

# Parts of a value that differ between hosts without meaning anything.
_NOT_COMPARED = ("device",)


@dataclass(frozen=True)
class Outlier:
    """A value that stands out. `score`, the modified z-score, is None if more than half of the hosts have one value."""

    box: str
    value: float
    median: float
    score: float | None


@dataclass(frozen=True)
class Difference:
    """A name whose value is not the same on all hosts.

    `values` are pairs of a value and the hosts that have it, the most frequent value first. The value None stands for
    "not there". On a host that is in none of the pairs, the value could not be read.
    """

    name: str
    values: tuple[tuple[StateValue, tuple[str, ...]], ...]


def least(metric: str) -> float:
    """Return the least distance of two values of a metric that matters."""
    return next((distance for end, distance in _LEAST if metric.endswith(end)), 0)


def outliers(
    values: Mapping[str, float], score: float = SCORE, floor: float = FLOOR, distance: float = 0
) -> tuple[list[Outlier], float | None]:
    """Return the hosts whose value stands out, the farthest first, and the median. `values` are numbers by host.

    An outlier's modified z-score is beyond `score`. If most hosts have the same value, so the median absolute deviation
    is 0, each host with another value is an outlier. An outlier is also further from the median than `floor` percent of
    it, and than `distance`. Fewer than `FEWEST` hosts have no outliers.
    """
    if not values:
        return [], None
    median = statistics.median(values.values())
    if len(values) < FEWEST:
        return [], median
    away = {box: abs(value - median) for box, value in values.items()}
    mad = statistics.median(away.values())
    floor = max(abs(median) * floor / 100, distance)
    found = []
    for box, value in values.items():
        reached = _SIGMA * away[box] / mad if mad else None
        if away[box] > floor and (reached is None or reached > score):
            found.append(Outlier(box, value, median, reached))
    return sorted(found, key=lambda outlier: (-away[outlier.box], outlier.box)), median


def flat(state: Mapping[str, StateValue]) -> dict[str, StateValue]:
    """Return a state without dictionaries: each value within a dictionary gets a name of its own."""
    found: dict[str, StateValue] = {}
    for name, value in state.items():
        if isinstance(value, dict):
            found.update((f"{name}:{key}", one) for key, one in value.items() if key not in _NOT_COMPARED)
        else:
            found[name] = value
    return found


def alike(name: str, first: StateValue, second: StateValue) -> bool:
    """Return whether two values are equal, or differ only because the hosts' memory differs a little."""
    if first == second:
        return True
    if first is None or second is None or not _FROM_MEMORY.match(name):
        return False
    numbers = [[int(number) for number in _NUMBERS.findall(str(value))] for value in (first, second)]
    return _NUMBERS.sub("#", str(first)) == _NUMBERS.sub("#", str(second)) and all(
        abs(one - other) <= _ALIKE * max(one, other) for one, other in zip(*numbers)
    )


def differences(
    states: Mapping[str, Mapping[str, StateValue]],
    whole: Mapping[str, Sequence[str]] | None = None,
    ignored: Sequence[str] = (),
) -> list[Difference]:
    """Return the differences between states, which are given by host, sorted by name.

    `whole` has by host the prefixes whose names are all in its state, so a name that is missing there is a difference.
    `ignored` are shell patterns of names.
    """
    whole = whole or {}
    states = {box: flat(state) for box, state in states.items()}
    found = []
    names: set[str] = set().union(*states.values())
    for name in sorted(names):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in ignored):
            continue
        values: dict[StateValue, list[str]] = {}
        for box in sorted(states):
            if name in states[box]:
                values.setdefault(states[box][name], []).append(box)
            elif name.startswith(tuple(whole.get(box, ()))):
                values.setdefault(None, []).append(box)
        groups = _gathered(name, values)
        if len(groups) > 1:
            found.append(Difference(name, tuple(groups)))
    return found


def _gathered(name: str, values: Mapping[StateValue, list[str]]) -> list[tuple[StateValue, tuple[str, ...]]]:
    """Return pairs of a value and its hosts, the most frequent first. Values that are alike are joined."""
    groups: list[tuple[StateValue, list[str]]] = []
    for value, boxes in sorted(values.items(), key=lambda item: (-len(item[1]), item[0] is None, str(item[0]))):
        for known, have_it in groups:
            if alike(name, known, value):
                have_it.extend(boxes)
                break
        else:
            groups.append((value, list(boxes)))
    return [(value, tuple(sorted(boxes))) for value, boxes in sorted(groups, key=lambda group: -len(group[1]))]


def majority(difference: Difference) -> tuple[str, ...]:
    """Return the hosts with the most frequent value, or none if another value is as frequent."""
    first, second = difference.values[:2]
    return first[1] if len(first[1]) > len(second[1]) else ()


def changes(changed: Iterable[Change], ignored: Sequence[str] = ()) -> list[Change]:
    """Return the changes of a history without those that mean nothing, and with dictionaries split into their parts."""
    found = []
    for taken, name, before, after in changed:
        pairs = [(name, before, after)]
        if isinstance(before, dict) or isinstance(after, dict):
            old, new = (flat({name: value} if value is not None else {}) for value in (before, after))
            pairs = [(key, old.get(key), new.get(key)) for key in sorted({*old, *new})]
        for key, one, other in pairs:
            if not alike(key, one, other) and not any(fnmatch.fnmatchcase(key, pattern) for pattern in ignored):
                found.append(Change(taken, key, one, other))
    return found
