# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare reading and parsing a large log with few kills to `grep -c` with the same strings on the same file.

The two run in turn, and their medians are compared. The log is written to a temporary folder, which is removed at the
end.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log import files
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts

WORDS = [
    "session",
    "opened",
    "for",
    "user",
    "root",
    "by",
    "CRON",
    "started",
    "systemd",
    "room",
    "process",
    "memory",
    "kernel",
    "audit",
    "Accepted",
    "publickey",
    "killed",
    "check",
    "out",
    "order",
    "sidekiq",
    "fetch",
    "done",
    "job",
    "perform",
]
KILL = """\
Oct  3 22:19:59 box kernel: [28441.{0:06d}] ruby invoked oom-killer: gfp_mask=0x201da, order=0, oom_score_adj=0
Oct  3 22:19:59 box kernel: [28441.{0:06d}] [ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
Oct  3 22:19:59 box kernel: [28441.{0:06d}] [{0:5d}]  1000 {0:5d}  4071931  3827545    7900        0             0 ruby
Oct  3 22:19:59 box kernel: [28441.{0:06d}] Out of memory: Kill process {0} (ruby) score 979 or sacrifice child
Oct  3 22:19:59 box kernel: [28441.{0:06d}] Killed process {0} (ruby) total-vm:16287724kB, anon-rss:15310180kB,
file-rss:0kB
"""


def _line(source):
    day, hour, minute, second = (source.randint(*ends) for ends in ((1, 30), (0, 23), (0, 59), (0, 59)))
    program = source.choice(("sshd", "CRON", "systemd", "app"))
    words = " ".join(source.choices(WORDS, k=12))
    return f"Oct {day:2} {hour:02}:{minute:02}:{second:02} box {program}[{source.randint(1, 99999)}]: {words}\n"


def write_log(path, size, kills):
    """Write a log of about `size` bytes with `kills` OOM kills evenly in it, and return how many it has."""
    source = random.Random(1)
    block = "".join(_line(source) for _number in range(20000)).encode()
    between = max(1, size // len(block) // (kills + 1))
    with open(path, "wb") as stream:
        killed = written = 0
        while stream.tell() < size:
            stream.write(block)
            written += 1
            if written % between == 0 and killed < kills:
                killed += 1
                stream.write(KILL.format(10000 + killed).encode())
    return killed


def measure(size=200 << 20, kills=5, runs=7):
    """Return the median seconds of `grep` and `oom_facts`, their `ratio`, and the log's `bytes` and `kills`."""
    environment = dict(os.environ, LC_ALL="C")
    with tempfile.TemporaryDirectory(prefix="oom_log.") as folder:
        path = os.path.join(folder, "syslog")
        expected = write_log(path, size, kills)
        large = os.path.getsize(path) > files.USERSPACE_LIMIT
        anchors = files.ANCHORS if large else files.ANCHORS + files.USERSPACE_ANCHORS
        grep = ["grep", "-c"] + [part for anchor in anchors for part in ("-e", anchor.decode())] + [path]
        times = {"grep": [], "oom_facts": []}
        for _run in range(runs):
            start = time.perf_counter()
            subprocess.run(grep, env=environment, stdout=subprocess.PIPE, check=False)
            times["grep"].append(time.perf_counter() - start)
            start = time.perf_counter()
            text, _remark = files.read_log(path)
            facts = oom_facts.parse({path: text}, logs=[path], now=time.time())
            times["oom_facts"].append(time.perf_counter() - start)
            if facts["kills_in_log"] != expected:
                raise AssertionError(f"{facts['kills_in_log']} kills found of {expected}")
        result = {name: statistics.median(values) for name, values in times.items()}
        result.update(ratio=result["oom_facts"] / result["grep"], bytes=os.path.getsize(path), kills=expected)
        return result


def main():
    """Print the comparison, and return 1 if the ratio is above 2."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    result = measure(options.megabytes << 20, options.kills, options.runs)
    print("%-44s %8s" % ("log of %d MB with %d kills" % (result["bytes"] >> 20, result["kills"]), "median"))
    print(f"{'grep -c with the same anchors':44} {result['grep'] * 1000:6.0f} ms")
    print(f"{'oom_facts: reading and parsing':44} {result['oom_facts'] * 1000:6.0f} ms")
    print(f"{'ratio (at most 2)':44} {result['ratio']:8.2f}")
    return 0 if result["ratio"] <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
