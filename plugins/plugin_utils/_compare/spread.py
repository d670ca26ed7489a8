# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes of one purpose against each other: numbers that stand out, and states that differ."""

from __future__ import annotations

import fnmatch
import re
import statistics
from dataclasses import dataclass

# A modified z-score beyond this is an outlier (Iglewicz and Hoaglin 1993); the factor makes the MAD of a normal distribution its sigma.
SCORE = 3.5
_SIGMA = 0.6745
# Nearer to the median than so many percent of it, nothing is one, however much alike the others are.
FLOOR = 10.0
# Of three boxes, any one is as far off as it pleases.
FEWEST = 4

# A distance that nobody would do anything about, by the end of a number's name.
_LEAST = (
    ("_percent", 5),
    ("_bytes", 16 << 20),
    ("inodes_used", 1000),
    ("load_per_cpu", 0.5),
    ("fds_allocated", 500),
    ("process_fds", 50),
    ("processes", 10),
)

# What the kernel, or systemd, makes of the size of the memory at boot, so that boxes of one kind differ a little, and the sizes themselves.
_FROM_MEMORY = re.compile(
    r"(memory_bytes|swap_bytes|fds_maximum|filesystem:.*:size_bytes|limit:.*:(nproc|sigpending|memlock)"
    r"|sysctl:(fs\.file-max|fs\.(epoll|inotify|fanotify)\.max_user_(watches|marks)|kernel\.threads-max|vm\.(min_free|user_reserve|admin_reserve"
    r")_kbytes|net\.ipv4\.(tcp|udp)_mem|net\.ipv4\.tcp_[rw]mem|net\.ipv4\.tcp_max_(orphans|tw_buckets|syn_backlog)"
    r"|net\.(netfilter\.)?nf_conntrack_(max|buckets|expect_max)|user\.max_.*))\Z"
)
_ALIKE = 0.02
_NUMBERS = re.compile(r"\d+")

# A name's part that is a box's own, and no difference.
_NOT_COMPARED = ("device",)


@dataclass(frozen=True)
class Outlier:
    """V(score) is the modified z-score; None where more than half of the boxes have the very same value, so that there is none."""

    box: str
    value: float
    median: float
    score: float | None


@dataclass(frozen=True)
class Difference:
    """One name whose value is not everywhere the same.

    V(values) are pairs of a value and the boxes that have it, what most have first; the value None is that there is no such thing.
    On boxes that are in none of them it could not be read.
    """

    name: str
    values: tuple


def least(metric):
    """The distance from which on a difference of a number means anything."""
    return next((distance for end, distance in _LEAST if metric.endswith(end)), 0)


def outliers(values, score=SCORE, floor=FLOOR, distance=0):
    """The boxes whose value stands out, the farthest first, and the median. V(values) maps boxes to numbers.

    An outlier's modified z-score is beyond V(score). Where that can't be told because most boxes have the very same value, and the median
    absolute deviation is 0, each that differs is one. In any case it is more than V(floor) percent of the median, and V(distance), away
    from it. Of fewer than FEWEST boxes none stands out.
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


def flat(state):
    """A state whose values are all single: what a dictionary holds gets names of its own."""
    found = {}
    for name, value in state.items():
        if isinstance(value, dict):
            found.update((f"{name}:{key}", one) for key, one in value.items() if key not in _NOT_COMPARED)
        else:
            found[name] = value
    return found


def alike(name, first, second):
    """Whether two values are the same for whoever looks for a difference."""
    if first == second:
        return True
    if first is None or second is None or not _FROM_MEMORY.match(name):
        return False
    numbers = [[int(number) for number in _NUMBERS.findall(str(value))] for value in (first, second)]
    return _NUMBERS.sub("#", str(first)) == _NUMBERS.sub("#", str(second)) and all(
        abs(one - other) <= _ALIKE * max(one, other) for one, other in zip(*numbers)
    )


def differences(states, whole=None, ignored=()):
    """The Differences between V(states), which map boxes to their states, by name.

    V(whole) maps boxes to the prefixes of which their state has all names, so that one that is missing there is a difference. V(ignored)
    are patterns of names, as a shell has them.
    """
    whole = whole or {}
    states = {box: flat(state) for box, state in states.items()}
    found = []
    for name in sorted(set().union(*states.values())):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in ignored):
            continue
        values = {}
        for box in sorted(states):
            if name in states[box]:
                values.setdefault(states[box][name], []).append(box)
            elif name.startswith(tuple(whole.get(box, ()))):
                values.setdefault(None, []).append(box)
        groups = _gathered(name, values)
        if len(groups) > 1:
            found.append(Difference(name, tuple(groups)))
    return found


def _gathered(name, values):
    """Pairs of a value and its boxes, what most have first; values that are alike are one, called by what most of them have."""
    groups = []
    for value, boxes in sorted(values.items(), key=lambda item: (-len(item[1]), item[0] is None, str(item[0]))):
        for known, have_it in groups:
            if alike(name, known, value):
                have_it.extend(boxes)
                break
        else:
            groups.append((value, list(boxes)))
    return [(value, tuple(sorted(boxes))) for value, boxes in sorted(groups, key=lambda group: -len(group[1]))]


def majority(difference):
    """The boxes that have what most have, or none where no value is had by more boxes than any other."""
    first, second = difference.values[:2]
    return first[1] if len(first[1]) > len(second[1]) else ()


def changes(changed, ignored=()):
    """What has changed, without what is no change for whoever looks for one: tuples as History.changes returns them."""
    found = []
    for taken, name, before, after in changed:
        pairs = [(name, before, after)]
        if isinstance(before, dict) or isinstance(after, dict):
            old, new = (flat({name: value}) if value is not None else {} for value in (before, after))
            pairs = [(key, old.get(key), new.get(key)) for key in sorted({*old, *new})]
        for key, one, other in pairs:
            if not alike(key, one, other) and not any(fnmatch.fnmatchcase(key, pattern) for pattern in ignored):
                found.append((taken, key, one, other))
    return found
