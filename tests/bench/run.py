# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the collection side by side with its alternatives, and print a table with the required ratios.

It boots the lab's boxes, and removes them if they were not up before. Times are medians and differ between machines, so
compare the ratios.
"""

from __future__ import annotations

import argparse
import os
import sys

import boxes
from boxes import say

COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(boxes.ROOT / ".cache" / "collections"))
sys.path.insert(0, COLLECTIONS.split(os.pathsep)[0])

TITLES = {
    "raw": "raw -a true (Ansible's own floor)",
    "health": "lifeline.fleet.health",
    "noop": "a Python module that does nothing",
    "ping": "ping",
    "command": "command -a 'free -m'",
    "setup": "setup, hardware only",
}


def on_boxes(runs):
    """Measure times and memory on the lab's boxes."""
    with boxes.booted() as lab_boxes:
        return len(lab_boxes.names), boxes.measure_time(lab_boxes, runs, say), boxes.measure_memory(lab_boxes, say=say)


def scans():
    """Measure oom_facts on a large log and fd_facts on many processes, each with its alternative."""
    import fd_scan
    import oom_log

    say("oom_facts on a log of 200 MB")
    log = oom_log.measure()
    say("fd_facts on 2,000 processes")
    return log, fd_scan.measure()


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        print(
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )
        if index == 0:
            print("  ".join("-" * width for width in widths))
    print()


def times_table(count, times):
    rows = [(f"{count} boxes, SSH, pipelining, warm", "wall s", "of raw", "CPU on a box, ms", "of noop")]
    for name, taken in times.items():
        rows.append(
            (
                TITLES[name],
                f"{taken['wall']:.3f}",
                f"{taken['wall'] / times['raw']['wall']:.2f}",
                f"{taken['cpu'] * 1000:.0f}",
                f"{taken['cpu'] / times['noop']['cpu']:.2f}",
            )
        )
    return rows


def bars_table(times, least, log, scan):
    """Return for each requirement the measured value, "at most" or "at least", and the required value."""
    health = times["health"]
    bars = [
        ("health / raw -a true, wall", health["wall"] / times["raw"]["wall"], "at most", 1.15),
        ("ping / health, wall", times["ping"]["wall"] / health["wall"], "at least", 2),
        ("health / module that does nothing, CPU on the box", health["cpu"] / times["noop"]["cpu"], "at most", 0.1),
        ("memory that health must still find on a box, MB", least.get("health"), "at most", 4),
        ("  the same for ping, MB", least.get("ping"), "", None),
        ("oom_facts / grep -c, log of 200 MB", log["ratio"], "at most", 2),
        ("fd_facts' scan / lsof -n, 2,000 processes", scan["ratio"], "at most", 0.05),
    ]
    rows = [("bar", "measured", "bar", "")]
    for title, value, side, limit in bars:
        met = value is not None and (limit is None or (value <= limit if side == "at most" else value >= limit))
        rows.append(
            (
                title,
                "-" if value is None else f"{value:.3g}",
                "" if limit is None else f"{side} {limit:g}",
                "" if limit is None else "met" if met else "MISSED",
            )
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--runs", type=int, default=7, help="rounds that the medians are taken from (default: %(default)s)"
    )
    options = parser.parse_args()
    count, times, least = on_boxes(options.runs)
    log, scan = scans()
    print_table(times_table(count, times))
    print_table(bars_table(times, least, log, scan))


if __name__ == "__main__":
    main()
