# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how the CPU time of parsing a hostile log grows with its size.

A log is one piece of a message, repeated in one line or in many. Twice the log may take 2.5 times as long. The best of
several runs is compared, and a pair that seems to grow faster is measured again, so other programs don't matter much.
"""

from __future__ import annotations

import sys
import time

from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts

PIECES = (
    *("Killed process 1 (x) total-vm:3kB, ", "Killed process 1 (", "Out of memory: Kill process 2 (x) score 5 or "),
    *("ruby invoked oom-killer: ", "oom-kill:constraint=CONSTRAINT_MEMCG,", ",task=x,pid=5,uid=6", ",oom_memcg=/a"),
    *("[    1.000001] ", "Oct  3 22:19:59 host kernel: ", "2026-01-01T00:00:00Z ", '{"MESSAGE": ', '{"log":"x"}'),
    *(
        "[    1.000001] Out of memory: Killed process 1 ",
        "npd[7]: Killed process 1 (x) ",
        "\\x0a",
        "3,4,5,-;",
        "(",
        ")",
    ),
    *("[ 1] 2 3 4 5 6 7 8 x ", "[ pid ] uid tgid name ", "Task in /x ", "killed as a result of limit of /y "),
    *("memory: usage 1kB, limit 2kB ", "Memory cgroup stats for /x", 'sending SIGTERM to process 1 "', "> ", "| "),
    *("OOM victim 1 (x is already exiting ", "\x1b[1m", "#012", "\\", '\\"', '"', "{", "CPU: 1 PID: 2 Comm: x "),
    *("x cpuset=/ mems_allowed=0 ", "total-vm:", " ", "\t", "0", "a", "a-", "MESSAGE=a", '"MESSAGE" : "', ": ", "..."),
)
ENDS = ("", "\n", "\n        ")
MOST_GROWTH = 2.5
LINE, LOG = 1 << 14, 1 << 15


def seconds(text: str) -> float:
    """Return the CPU time of parsing a text."""
    start = time.process_time()
    oom_facts.parse({"log": text}, logs=["log"], now=1795000000)
    return time.process_time() - start


def growth(text: str) -> tuple[float, float]:
    """Return how much longer twice the text takes, and the seconds that it takes; at best of up to 10 runs."""
    once = twice = float("inf")
    for run in range(10):
        once, twice = min(once, seconds(text)), min(twice, seconds(text * 2))
        if run and twice <= MOST_GROWTH * once:
            break
    return twice / max(once, 1e-4), twice


def main() -> int:
    """Print the worst growth, and return 1 if it is above the limit."""
    found = []
    for end in ENDS:
        for piece in PIECES:
            unit = piece + end
            ratio, took = growth(unit * ((LOG if end else LINE) // len(unit)))
            found.append((ratio, took, unit))
    found.sort(reverse=True)
    for ratio, took, unit in found[:5]:
        print(f"{unit!r:60} {took * 1000:6.0f} ms, {ratio:5.2f} times as long")
    print(f"{'worst growth for twice the log (at most 2.5)':60} {found[0][0]:5.2f}")
    return 0 if found[0][0] <= MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
