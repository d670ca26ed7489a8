# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulate the history of healthy hosts and of each fault that the report has to show. Equal seeds give equal rows.

The rows are inserted in bulk. Recording a week of 200 hosts one reading at a time would take too long.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Reading
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

GB = 1 << 30
DAY = 86400
KERNELS = ("6.1.0-32-amd64", "6.1.0-33-amd64")
# One host in ONE_IN has a fault. The first hosts of a fleet have one of each.
ILL = ("leak", "oom", "disk", "slow", "sawtooth", "swap", "down", "missed")
ONE_IN = 6


@dataclass
class Box:
    """A simulated host: its kind, its sizes and its rows."""

    name: str
    kind: str
    memory: int
    allowance: int
    random: random.Random
    kills: list = field(default_factory=list)

    def rss(self, age, left):
        """Return the worker's resident memory, `age` seconds after the begin and `left` seconds before the end."""
        if self.kind == "leak":
            grown = 0.6 * (1 - left / (2 * DAY)) if left < 2 * DAY else 0.3 * (age % DAY) / DAY
            return self.allowance * (0.35 + grown)
        if self.kind == "oom":
            return self.allowance * (0.3 + 0.9 * (age % (0.8 * DAY)) / (0.8 * DAY))
        if self.kind == "sawtooth":
            return self.allowance * (0.35 + 0.3 * (age % 9000) / 9000)
        if self.kind == "swap":
            return self.allowance * 0.78
        return self.allowance * (0.4 + 0.08 * math.sin(age / DAY * 2 * math.pi))


def write(path, end, boxes=200, days=7, step=300, seed=6):
    """Write the history up to the time `end` to `path`, which must not exist. Return the names of the hosts."""
    chance = random.Random(seed)
    with History(path, create=True, days=None, size=None) as history:
        return [_write_box(history, _made(number, chance), end, days, step) for number in range(boxes)]


def _made(number, chance):
    ill = number < len(ILL) or chance.random() < 1 / ONE_IN
    kind = ILL[number % len(ILL)] if ill else "ok"
    memory = chance.choice((4, 8, 16, 64)) * GB
    return Box(
        f"{chance.choice(('crawler', 'web', 'queue'))}{number + 1}.example.net",
        kind,
        memory,
        int(memory * 0.8),
        random.Random(chance.random()),
    )


def _write_box(history, box, end, days, step):
    times = [end - left for left in range(int(days * DAY), -1, -step)]
    if box.kind == "missed":
        times = [taken for taken in times if taken < end - 5 * 3600]
    times = [taken + box.random.uniform(0, 20) - 20 for taken in times if box.random.random() > 0.002]
    with history.database.transaction() as database:
        execute = database.execute
        execute("INSERT INTO boxes (name) VALUES (?)", [box.name])
        (here,) = execute("SELECT id FROM boxes WHERE name = ?", [box.name]).fetchone()
        (before,) = execute("SELECT coalesce(max(id), 0) FROM readings").fetchone()
        known, readings, samples, findings = {}, [], [], []
        for number, taken in enumerate(times, before + 1):
            verdict, found, values = _reading(box, taken, times[0], end)
            readings.append((number, here, taken, "health", verdict, times[0] - 30 * DAY))
            findings += [(number, place, *finding) for place, finding in enumerate(found)]
            for metric, subject, value, capacity, started in values:
                key = (metric, subject)
                if key not in known:
                    execute("INSERT OR IGNORE INTO series (metric, subject) VALUES (?, ?)", key)
                    (known[key],) = execute("SELECT id FROM series WHERE metric = ? AND subject = ?", key).fetchone()
                samples.append((here, number, known[key], value, capacity, started))
        database.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", readings)
        database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?)", samples)
        database.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", findings)
    for taken, state in _states(box, times):
        history.record(Reading(box.name, "package_facts", taken=taken, state=state, whole=("package:",)))
    if box.kills:
        history.record(Reading(box.name, "oom_facts", taken=times[-1], kills=box.kills))
    if box.kind == "slow":
        history.record(
            Reading(
                box.name,
                "throughput_info",
                taken=times[-1],
                findings=[
                    {
                        "check": "throughput",
                        "severity": "warning",
                        "subject": None,
                        "value": 22,
                        "threshold": 5,
                        "unit": "times slower",
                        "message": "degrading, 20 times slower than its best hour",
                    }
                ],
            )
        )
    return box.name


def _states(box, times):
    first = {
        "kernel": KERNELS[0],
        "package:openssl": "3.0.15-1~deb12u1",
        "package:redis-server": "5:7.0.15-1~deb12u3",
        "sysctl:vm.swappiness": 60,
    }
    yield times[0], first
    if box.random.random() < 0.9:
        yield times[len(times) // 3], {**first, "package:openssl": "3.0.16-1~deb12u1"}
    if box.kind == "slow":
        yield (
            times[len(times) // 2],
            {
                **first,
                "package:openssl": "3.0.16-1~deb12u1",
                "kernel": KERNELS[1],
                "sysctl:vm.swappiness": 10,
                "package:mysql-common": "5.8+1.1.0",
            },
        )


def _reading(box, taken, begin, end):
    """Return the verdict of one reading, its findings, and its numbers."""
    noise = box.random.gauss
    age, left = taken - begin, max(0, end - taken)
    if box.kind == "down" and left < 2.6 * 3600:
        return (
            "down",
            [("", "down", None, None, None, None, "connect to host 192.0.2.7 port 22: Connection timed out")],
            [],
        )
    started = begin - DAY
    if box.kind == "oom":
        turn = int(age // (0.8 * DAY))
        started = begin + turn * 0.8 * DAY
        if turn and not any(kill.pid == 2000 + turn for kill in box.kills):
            box.kills.append(
                Kill(started, 2000 + turn, "ruby", "kernel", "system", "sidekiq.service", int(box.allowance * 1.19))
            )
    elif box.kind == "leak" and left >= 2 * DAY:
        started = begin + age // DAY * DAY
    elif box.kind == "leak":
        started = end - 2 * DAY
    rss = int(box.rss(age, left) * noise(1, 0.006))
    used = min(box.memory, int(rss + box.memory * 0.07 * noise(1, 0.02)))
    swap = int(GB * (0.85 + noise(0, 0.02))) if box.kind == "swap" else 0
    disk_share = 0.31 + (0.67 * age / (age + left) if box.kind == "disk" else 0.04 * age / (7 * DAY))
    jobs = box.random.uniform(0.97, 1.03) * age * (11000 if box.memory > 8 * GB else 5200) / 3600
    if box.kind == "slow":
        jobs = 11671 / 3600 * 2.2 * DAY * (1 - math.exp(-age / (2.2 * DAY)))
    findings = list(_findings(box, used, swap, disk_share, left))
    verdict = "critical" if any(one[1] == "critical" for one in findings) else "warning" if findings else "ok"
    values = [
        ("memory_used_bytes", "", used, box.memory, None),
        ("swap_used_bytes", "", swap, GB, None),
        ("slab_unreclaimable_bytes", "", int(90e6 * noise(1, 0.02)), box.memory - used, None),
        ("worker_rss_bytes", "sidekiq", rss, box.allowance, started),
        ("disk_used_bytes", "/", int(40 * GB * disk_share), 40 * GB, None),
        ("disk_used_bytes", "/data", int(200 * GB * 0.22), 200 * GB, None),
        ("inodes_used", "/", 180000 + int(age / 600), 2600000, None),
        ("fds_allocated", "", int(2000 * noise(1, 0.05)), 400000, None),
        ("process_fds", "ruby", int(310 * noise(1, 0.04)), 1024, None),
        ("load_per_cpu", "", round(abs(noise(0.45 if box.kind != "swap" else 3.1, 0.2)), 2), None, None),
        (
            "memory_pressure_percent",
            "",
            round(abs(noise(0, 0.2)) if box.kind != "swap" else abs(noise(9, 2)), 2),
            None,
            None,
        ),
        ("steal_percent", "", round(abs(noise(0.4, 0.1)), 2), None, None),
        (
            "sidekiq_processed",
            "",
            int(
                jobs
                if box.kind == "slow"
                else age
                * (11000 if box.memory > 8 * GB else 5200)
                / 3600
                * (1 + 0.1 * math.sin(age / DAY * 2 * math.pi) / max(1, age / DAY))
            ),
            None,
            started - DAY,
        ),
    ]
    return verdict, findings, values


def _findings(box, used, swap, disk_share, left):
    left_percent = 100 * (1 - used / box.memory)
    if left_percent < 25:
        yield (
            "memory_available_percent",
            "critical" if left_percent < 10 else "warning",
            None,
            left_percent,
            10,
            "%",
            "only %s of %s memory available, ruby (pid 2211) holds %s"
            % tuple(map(format_size, (box.memory - used, box.memory, used * 0.9))),
        )
    if swap > 0.5 * GB:
        yield (
            "swap_used_percent",
            "critical" if swap > 0.8 * GB else "warning",
            None,
            100 * swap / GB,
            80,
            "%",
            f"{format_size(swap)} of {format_size(GB)} swap in use",
        )
    if disk_share > 0.9:
        yield (
            "disk_used_percent",
            "critical" if disk_share > 0.95 else "warning",
            "/",
            100 * disk_share,
            95,
            "%",
            f"/ is {100 * disk_share:.0f} % full, {format_size(40 * GB * (1 - disk_share))} left",
        )
    if box.kind == "oom" and left < DAY and box.kills:
        yield (
            "oom_kills",
            "warning",
            None,
            1,
            1,
            "kills",
            f"1 OOM kill in 24 h, the last took ruby (pid {box.kills[-1].pid})",
        )
