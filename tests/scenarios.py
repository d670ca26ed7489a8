# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every molecule scenario, on boxes that are booted once. What failed is said once more at the end.

Boxes mostly wait, so two scenarios run side by side. Two run alone: facts, which compares what the modules say of the whole machine with
what other programs say a moment before and after, and the drill, whose boxes have a kernel of their own and whose latencies count.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Wide enough for the name of a test, and for what it found.
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180"}
ALONE_FIRST, ALONE_LAST = "facts", "drill"
# They begin first, so that none of them is left alone at the end.
LONGEST = ("sidekiq_watchdog", "ssh_lifeline", "service_lockdown", "monit", "fail2ban")
TELLING = re.compile(r"│ (E  |FAILED |ERROR )|^ *(\[ERROR\]|fatal: |drill: )|^ERROR ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main():
    names = {folder.parent.name for folder in (ROOT / "extensions" / "molecule").glob("*/molecule.yml")}
    side_by_side = sorted(names - {"default", ALONE_FIRST, ALONE_LAST}, key=lambda name: (name not in LONGEST, name))
    # Molecule remembers boxes that may be long gone.
    subprocess.run(["molecule", "reset", "--scenario-name", "default"], cwd=ROOT, env=ENVIRONMENT, check=True)
    try:
        failed = molecule("create", "default")
        if not failed:
            failed = scenario(ALONE_FIRST)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                failed += [line for lines in pool.map(scenario, side_by_side) for line in lines]
    finally:
        molecule("destroy", "default")
    failed += scenario(ALONE_LAST)
    if failed:
        sys.exit("\n".join(["", "what failed:", *failed]))


def scenario(name):
    began = time.monotonic()
    failed = molecule("test", name, "--no-shared-state")
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"==> scenario {name} {'failed' if failed else 'passed'} after {minutes}:{seconds:02}", flush=True)
    return failed


def molecule(command, name, *options):
    """Do it with a scenario, pass on what it says, and return the lines that tell why it failed: none where it didn't."""
    telling = []
    with subprocess.Popen(["molecule", command, "--scenario-name", name, *options], cwd=ROOT, env=ENVIRONMENT, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            print(f"{name}: {line}", end="", flush=True)
            plain = COLOUR.sub("", line).rstrip()
            if TELLING.search(plain):
                telling.append(f"{name}: {plain}")
    # The last that was said is what ended it: check mode has reported errors before that a role ignores.
    return (telling[-20:] or [f"{name}: molecule {command} ended with {running.returncode}"]) if running.returncode else []


if __name__ == "__main__":
    main()
