# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what a history costs: health on many hosts over SSH, in turn without one, recording, and forecasting as well.

The hosts are those of the lab, each under many names; their past is their present with some noise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import time

import boxes
from boxes import say

sys.path.insert(
    0, os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(boxes.ROOT / ".cache" / "collections")).split(os.pathsep)[0]
)

BOXES, PAST, EVERY_SECONDS = 200, 100, 300
NEVER = {check: {"warning": None, "critical": None} for check in ("forecast_minutes", "disk_forecast_minutes")}


def fill(path, names):
    """Add earlier readings before the one reading that each host has."""
    from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Reading
    from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import History

    chance, now = random.Random(1), time.time()
    with History(path, create=True) as history:
        known = {name: history.samples(reading.reading) for name, reading in history.latest().items()}
        for number in range(PAST):
            for name in names:
                samples = [sample._replace(value=sample.value * chance.gauss(1, 0.01)) for sample in known[name]]
                history.record(
                    Reading(name, "health", now - (PAST - number) * EVERY_SECONDS, "ok", now - 864000, samples)
                )


def run(lab_boxes, variables):
    """Run health; return the seconds that it took, and the CPU seconds on the controller."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    lab_boxes.ansible([*boxes.COMMANDS["health"], "-e", json.dumps(variables)])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(lab_boxes, rounds):
    """Return what each kind of run took in each round, and the size of the history's file."""
    names, path = lab_boxes.multiply(BOXES), lab_boxes.folder / "history.db"
    kinds = {
        "without a history": {},
        "recording": {"lifeline_history": str(path), "lifeline_thresholds": NEVER},
        "recording and looking ahead": {"lifeline_history": str(path)},
    }
    run(lab_boxes, kinds["recording"])
    say(f"writing {PAST} readings of {BOXES} boxes")
    fill(path, names)
    taken = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind, variables in kinds.items():
            taken[kind].append(run(lab_boxes, variables))
        say(f"round {number + 1} of {rounds}")
    return taken, path.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--rounds", type=int, default=9, help="rounds that the medians are taken from (default: %(default)s)"
    )
    rounds = parser.parse_args().rounds
    with boxes.booted() as lab_boxes:
        taken, size = measure(lab_boxes, rounds)
    without = taken["without a history"]
    for place, what in enumerate(("wall", "CPU of the controller")):
        for kind, times in taken.items():
            shares = [100 * (more[place] / less[place] - 1) for more, less in zip(times, without, strict=True)]
            print(
                f"{what}, {kind}: {statistics.median(one[place] for one in times):.2f} s"
                + (
                    ""
                    if times is without
                    else f", {statistics.median(shares):.1f} % more "
                    f"(round by round: {', '.join(f'{share:.1f}' for share in shares)})"
                )
            )
    print(f"the history: {size / (BOXES * (1 + PAST + 2 * rounds)):.0f} bytes a reading")


if __name__ == "__main__":
    main()
