# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the time of fd_facts with lsof on a machine with 2,000 processes of 50 descriptors each."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache" / "collections"))

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import descriptor_reader  # noqa: E402 - the path comes first

# They are forks of a small process, so each takes little memory and all end with their parent.
_HOLDERS = """
import ctypes, os, signal, sys
processes, descriptors = int(sys.argv[1]), int(sys.argv[2])
death_signal = ctypes.CDLL(None).prctl
for number in range(processes):
    if os.fork() == 0:
        death_signal(1, signal.SIGKILL)
        for _ in range(descriptors - 3):
            os.open("/dev/null", os.O_RDONLY)
        signal.pause()
print("ready", flush=True)
signal.pause()
"""


@contextlib.contextmanager
def holders(processes, descriptors):
    """Run this many processes with this many descriptors each."""
    parent = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _HOLDERS, str(processes), str(descriptors)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        parent.stdout.readline()
        while descriptor_reader.count_all(_reader.list_pids()).count(f"\n{descriptors} /") < processes:
            time.sleep(0.05)
        yield
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()


def scan():
    """Read the counts and limits of all processes as fd_facts does."""
    pids = _reader.list_pids()
    _reader.read_files(_reader.process_paths(("stat", "limits"), pids))
    return descriptor_reader.count_all(pids)


def lsof():
    subprocess.run(["lsof", "-n"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def measure(processes=2000, descriptors=50, runs=5):
    """Return the medians in seconds of the count, the whole module and lsof, and the count's ratio to lsof."""
    taken = {"count": [], "scan": [], "lsof": []}
    with holders(processes, descriptors):
        pids = _reader.list_pids()
        for _run in range(runs):
            taken["count"].append(seconds(lambda: descriptor_reader.count_all(pids)))
            taken["scan"].append(seconds(scan))
            taken["lsof"].append(seconds(lsof))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    return dict(medians, ratio=medians["scan"] / medians["lsof"], processes=processes, descriptors=descriptors)


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:12} {value:.4g}")
