# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the molecule scenarios that are named, or all. How long each took, and what failed, is said once more at the end.

Each has its own boxes, and these wait for most of the time: three scenarios run side by side. Those whose latencies count come after the
others: the drill alone, as it takes all processors, then those with a box that has almost no memory left, beside each other.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
APART = (("drill",), ("rescue", "watch"))
# They begin, so that none of them goes on alone in the end. The first two wait the most.
LONGEST = ("sidekiq_watchdog", "ssh_lifeline", "fail2ban", "facts", "monit", "service_lockdown", "crawler", "reboot")
# Wide enough for the name of a test, and for what it found.
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180"}
TELLING = re.compile(r"│ (E  |FAILED |ERROR )|^ *(\[ERROR\]|fatal: |drill: )|^ERROR ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main():
    known = {folder.parent.name for folder in (ROOT / "extensions" / "molecule").glob("*/molecule.yml")}
    parser = argparse.ArgumentParser(description="Runs the molecule scenarios that are named, or all.")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"which of: {', '.join(sorted(known))}")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--side-by-side", action="store_true", help="of these, only those that may run beside others")
    only.add_argument("--apart", action="store_true", help="of these, only those that may not")
    options = parser.parse_args()
    unknown = set(options.names) - known
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
    wanted = sorted(
        options.names or known, key=lambda name: (LONGEST.index(name) if name in LONGEST else len(LONGEST), name)
    )
    played = []
    if not options.apart:
        played += side_by_side(3, [name for name in wanted if not any(name in some for some in APART)])
    if not options.side_by_side:
        for some in APART:
            played += side_by_side(len(some), [name for name in wanted if name in some])
    print("", *(ended for ended, _telling in played), sep="\n", flush=True)
    failed = [line for _ended, telling in played for line in telling]
    if failed:
        sys.exit("\n".join(["", "what failed:", *failed]))


def side_by_side(at_once, names):
    """Play so many scenarios at a time. Whoever interrupts this waits for those that run, which are interrupted as well."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(play, names))


def play(name):
    """How a scenario ended, and the lines that tell why it failed."""
    began = time.monotonic()
    telling = scenario(name)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    ended = f"==> scenario {name} {'failed' if telling else 'passed'} after {minutes}:{seconds:02}"
    print(ended, flush=True)
    return ended, telling


def scenario(name):
    """Run it, pass on what it says, and return the lines that tell why it failed: none where it didn't."""
    telling = []
    with subprocess.Popen(
        ["molecule", "test", "--scenario-name", name],
        cwd=ROOT,
        env=ENVIRONMENT,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        for line in running.stdout:
            print(f"{name:16} {line}", end="", flush=True)
            plain = COLOUR.sub("", line).rstrip()
            if TELLING.search(plain):
                telling.append(f"{name}: {plain}")
    # The last that was said is what ended it: check mode has reported errors before that a role ignores.
    return (telling[-20:] or [f"{name}: molecule test ended with {running.returncode}"]) if running.returncode else []


if __name__ == "__main__":
    main()
