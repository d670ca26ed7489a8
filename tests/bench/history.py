# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to keep a history: health on many boxes with and without, in turn; each box is this machine, asked without SSH.

Over SSH a run takes longer, and the share of the history is less.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.lifeline.fleet.plugins.plugin_utils._history import History, Reading, Sample

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOXES, PAST, EVERY_SECONDS = 200, 100, 300


def fill(path, boxes, readings):
    """A past: V(readings) readings of each box, with as many numbers as a real one has."""
    chance, now = random.Random(1), time.time()
    with History(path, create=True) as history:
        for number in range(readings):
            for box in boxes:
                samples = [Sample(metric, "", chance.gauss(4 << 30, 1 << 26), 16 << 30) for metric in (
                    "memory_used_bytes", "slab_unreclaimable_bytes", "fds_allocated", "load_per_cpu", "steal_percent", "processes")]
                samples += [Sample("disk_used_bytes", mount, chance.gauss(4 << 30, 1 << 20), 16 << 30) for mount in ("/", "/srv")]
                samples += [Sample("inodes_used", mount, chance.gauss(4 << 20, 1 << 10), 16 << 20) for mount in ("/", "/srv")]
                samples += [Sample("process_fds", name, chance.gauss(100, 5), 1024) for name in "abcdefghij"]
                history.record(Reading(box, "health", now - (readings - number) * EVERY_SECONDS, "ok", now - 864000, samples))


def run(inventory, forks, *options):
    """Seconds on the clock, and seconds of CPU time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["ansible", "all", "-i", inventory, "-f", str(forks), "-m", "lifeline.fleet.health", *options],
                   stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds that the medians are taken from (default: %(default)s)")
    parser.add_argument("--forks", type=int, default=50, help="as of Ansible (default: %(default)s)")
    options = parser.parse_args()
    boxes = [f"box{number}" for number in range(BOXES)]
    os.environ.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"))
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        inventory, history = os.path.join(folder, "boxes.ini"), os.path.join(folder, "history.db")
        pathlib.Path(inventory).write_text("\n".join(f"{box} ansible_connection=local" for box in boxes))
        print(f"bench: writing {PAST} readings of {BOXES} boxes", file=sys.stderr, flush=True)
        fill(history, boxes, PAST)
        kinds = {"without": [], "with": ["-e", f"lifeline_history={history}"]}
        taken = {kind: [] for kind in kinds}
        for number in range(options.rounds + 1):
            for kind, arguments in kinds.items():
                measured = run(inventory, options.forks, *arguments)
                # The first of each warms up what is cached.
                if number:
                    taken[kind].append(measured)
            print(f"bench: round {number} of {options.rounds}", file=sys.stderr, flush=True)
        for place, what in enumerate(("wall", "CPU")):
            without, kept = (statistics.median(times[place] for times in taken[kind]) for kind in ("without", "with"))
            shares = [100 * (more[place] / less[place] - 1) for more, less in zip(taken["with"], taken["without"], strict=True)]
            print(f"{what}: {without:.2f} s without, {kept:.2f} s with a history: {100 * (kept / without - 1):.1f} % more "
                  f"(pair by pair: {', '.join(f'{share:.1f}' for share in shares)})")
        print(f"the history: {os.path.getsize(history) / (BOXES * (PAST + options.rounds + 1)):.0f} bytes a reading")


if __name__ == "__main__":
    main()
