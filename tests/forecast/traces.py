# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate traces of resources that fill up, and of others that never do, with a capacity of 1 and fixed seeds."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Point

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True)
class Trace:
    """`began` and `ends` are when the leak begins and when everything is used up; None if nothing leaks."""

    name: str
    points: list[Point]
    disk: bool = False
    began: float | None = None
    ends: float | None = None


def series(name, seed, value, count, interval, missing=0.0, started=None, disk=False, began=None, ends=None):
    """Return the readings of `value`, a function of time and a random number generator. Some are late, some missing."""
    chance = random.Random(f"{name} {seed}")
    points = []
    for number in range(count):
        taken = number * interval + chance.uniform(0, 0.1) * interval
        level = min(1.0, max(0.0, value(taken, chance)))
        if ends is not None and (level >= 1 or taken >= ends):
            # Noise may reach the capacity a little earlier.
            ends = min(ends, taken)
            break
        if chance.random() >= missing:
            points.append(Point(taken, level, 1.0, None if started is None else started(taken)))
    return Trace(name, points, disk, began, ends)


# Leaks


def steady(seed, before=0, noise=0.0, missing=0.0):
    """Return a leak at one rate after `before` quiet readings. `noise` is the deviation, per growth of a reading."""
    chance = random.Random(f"steady {seed}")
    interval = chance.choice([15, MINUTE, 5 * MINUTE])
    low, readings = chance.uniform(0.1, 0.6), chance.randint(14, 60)
    rate = (1 - low) / (readings * interval)
    began = before * interval
    deviation = noise * rate * interval

    def value(time, chance):
        return low + rate * max(0.0, time - began) + chance.gauss(0, deviation)

    return series(
        "steady leak", seed, value, before + readings, interval, missing, began=began, ends=began + readings * interval
    )


def collected(seed):
    """Return a leak in a heap with garbage collection: a sawtooth that rises."""
    chance = random.Random(f"collected {seed}")
    interval, readings, low = chance.choice([15, MINUTE, 5 * MINUTE]), chance.randint(40, 150), chance.uniform(0.2, 0.5)
    height, period = chance.uniform(0.02, 0.08), chance.uniform(1.3, 6) * interval
    rate = (1 - low - height) / (readings * interval)

    def value(time, chance):
        return low + rate * time + height * (time % period) / period + chance.gauss(0, 0.002)

    return series("leak under collected garbage", seed, value, readings, interval, began=0, ends=readings * interval)


def in_steps(seed):
    """Return a leak that the allocator takes from the kernel in pieces."""
    chance = random.Random(f"in steps {seed}")
    interval, readings, low = chance.choice([15, MINUTE, 5 * MINUTE]), chance.randint(30, 150), chance.uniform(0.1, 0.5)
    piece = (1 - low) / chance.randint(20, 60)
    rate = (1 - low) / (readings * interval)

    def value(time, chance):
        return low + piece * math.floor(rate * time / piece) + chance.gauss(0, 0.001)

    return series("leak in steps", seed, value, readings, interval, began=0, ends=readings * interval)


def restarted(seed):
    """Return a worker that leaks, is restarted, and leaks again."""
    chance = random.Random(f"restarted {seed}")
    interval, low = chance.choice([15, MINUTE, 5 * MINUTE]), chance.uniform(0.1, 0.3)
    before, readings = chance.randint(10, 60), chance.randint(14, 60)
    began, rate = before * interval, (1 - low) / (readings * interval)

    def value(time, chance):
        since = time if time < began else time - began
        return (
            low
            + rate * since * (1 if time >= began else 0.7 * readings / before)
            + chance.gauss(0, 0.1 * rate * interval)
        )

    return series(
        "leak after a restart",
        seed,
        value,
        before + readings,
        interval,
        0.05,
        lambda time: -DAY if time < began else began,
        began=began,
        ends=began + readings * interval,
    )


LEAKS = {
    "steady leak": steady,
    "steady leak after a quiet time": lambda seed: steady(seed, before=random.Random(seed).randint(20, 300)),
    "steady leak, noisy": lambda seed: steady(seed, noise=0.5),
    "steady leak, a fifth of the readings missing": lambda seed: steady(seed, noise=0.1, missing=0.2),
    "leak after a restart": restarted,
    "leak in steps": in_steps,
    "leak under collected garbage": collected,
}


# Healthy resources


def idle(seed):
    low, deviation = random.Random(f"idle {seed}").uniform(0.1, 0.7), random.Random(seed).choice([0.0005, 0.003, 0.01])
    return lambda time, chance: low + chance.gauss(0, deviation)


def wandering(seed):
    """Return load that varies around a constant level, each value close to the one before."""
    chance = random.Random(f"wandering {seed}")
    middle, deviation, memory = (
        chance.uniform(0.2, 0.6),
        chance.uniform(0.01, 0.06),
        chance.uniform(10 * MINUTE, 4 * HOUR),
    )
    state = {"time": 0.0, "level": 0.0}

    def value(time, chance):
        kept = math.exp(-(time - state["time"]) / memory)
        state.update(time=time, level=state["level"] * kept + chance.gauss(0, deviation) * math.sqrt(1 - kept * kept))
        return middle + state["level"]

    return value


def teeth(fastest, slowest, tallest):
    """Return a heap with garbage collection: a sawtooth."""

    def make(seed):
        chance = random.Random(f"teeth {fastest} {seed}")
        low, height, period = chance.uniform(0.1, 0.5), chance.uniform(0.05, tallest), chance.uniform(fastest, slowest)

        def value(time, chance):
            return low + height * (time % period) / period + chance.gauss(0, 0.003)

        return value

    return make


def days(seed):
    """Return a host that people use by day."""
    chance = random.Random(f"days {seed}")
    middle, height, phase = chance.uniform(0.3, 0.5), chance.uniform(0.05, 0.25), chance.uniform(0, DAY)
    return lambda time, chance: middle + height * math.sin(2 * math.pi * (time + phase) / DAY) + chance.gauss(0, 0.01)


def warmed_up(seed):
    """Return a worker that allocates its memory in its first hour, and is restarted now and then."""
    chance = random.Random(f"warmed up {seed}")
    low, height, constant = chance.uniform(0.05, 0.3), chance.uniform(0.1, 0.5), chance.uniform(2 * MINUTE, 40 * MINUTE)
    life = chance.uniform(0.7 * DAY, 2.5 * DAY)

    def value(time, chance):
        return low + height * (1 - math.exp(-(time % life) / constant)) + chance.gauss(0, 0.003)

    return value, lambda time: time - time % life


def stepped(seed):
    """Return deployments that change the level at once."""
    chance = random.Random(f"stepped {seed}")
    steps = [(chance.uniform(0, 7 * DAY), chance.uniform(0.2, 0.7)) for _step in range(14)]
    steps = [(0, 0.3), *sorted(steps)]
    return lambda time, chance: max(step for step in steps if step[0] <= time)[1] + chance.gauss(0, 0.003)


def jobs(seed):
    """Return jobs that allocate memory evenly while they run and then free it, one every few hours."""
    chance = random.Random(f"jobs {seed}")
    low, height = chance.uniform(0.1, 0.4), chance.uniform(0.1, 0.4)
    every, runs = chance.choice([HOUR, 3 * HOUR, DAY]), chance.uniform(5 * MINUTE, 50 * MINUTE)
    return lambda time, chance: (
        low + (height * (time % every) / runs if time % every < runs else 0) + chance.gauss(0, 0.004)
    )


def rotated(seed):
    """Return logs that fill a disk by day and are compressed at night."""
    chance = random.Random(f"rotated {seed}")
    low, height = chance.uniform(0.2, 0.6), chance.uniform(0.01, 0.15)
    return lambda time, chance: low + height * (time % DAY) / DAY + 0.002 * time / DAY


def filling(seed):
    """Return a disk that fills within months, with large copies on it now and then."""
    chance = random.Random(f"filling {seed}")
    low, rate = chance.uniform(0.2, 0.6), chance.uniform(0, 0.003) / DAY
    copies = [
        (start, start + chance.uniform(HOUR, DAY), chance.uniform(0.01, 0.2))
        for start in (chance.uniform(0, 7 * DAY) for _copy in range(4))
    ]
    return lambda time, chance: low + rate * time + sum(size for start, end, size in copies if start <= time < end)


_HEALTHY = {
    "idle": (idle, False),
    "load that comes and goes": (wandering, False),
    "garbage collected within minutes": (teeth(20, 10 * MINUTE, 0.3), False),
    "garbage collected within hours": (teeth(20 * MINUTE, 8 * HOUR, 0.3), False),
    "days and nights": (days, False),
    "warm-up after a restart": (warmed_up, False),
    "deployments": (stepped, False),
    "jobs": (jobs, False),
    "logs, packed at night": (rotated, True),
    "a disk that fills slowly": (filling, True),
}


def healthy(name, seed, count, interval):
    make, disk = _HEALTHY[name]
    value = make(seed)
    value, started = value if isinstance(value, tuple) else (value, None)
    return series(name, seed, value, count, interval, 0.02, started, disk)


HEALTHY = tuple(_HEALTHY)
