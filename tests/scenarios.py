# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the molecule scenarios that are named, or all, on boxes that are booted once. What failed is said once more at the end.

The drill comes last, when the other boxes are gone: its own have a kernel of their own, and their latencies count.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Wide enough for the name of a test, and for what it found.
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180", "LIFELINE_SHARED_STATE": "false"}
DRILL = "drill"
TELLING = re.compile(r"│ (E  |FAILED |ERROR )|^ *(\[ERROR\]|fatal: |drill: )|^ERROR ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main():
    known = {folder.parent.name for folder in (ROOT / "extensions" / "molecule").glob("*/molecule.yml")} - {"default"}
    wanted = set(sys.argv[1:]) or known
    if wanted - known:
        sys.exit("there is no scenario %s: there are %s" % (", ".join(sorted(wanted - known)), ", ".join(sorted(known))))
    failed = []
    if wanted != {DRILL}:
        try:
            # Molecule remembers boxes that may be long gone.
            failed = molecule("reset", "default", "--all") or molecule("create", "default")
            if not failed:
                failed = [line for name in sorted(wanted - {DRILL}) for line in scenario(name)]
        finally:
            molecule("destroy", "default")
    if DRILL in wanted:
        failed += scenario(DRILL)
    if failed:
        sys.exit("\n".join(["", "what failed:", *failed]))


def scenario(name):
    began = time.monotonic()
    failed = molecule("test", name)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"==> scenario {name} {'failed' if failed else 'passed'} after {minutes}:{seconds:02}", flush=True)
    return failed


def molecule(command, name, *options):
    """Do it with a scenario, pass on what it says, and return the lines that tell why it failed: none where it didn't."""
    telling = []
    with subprocess.Popen(["molecule", command, "--scenario-name", name, *options], cwd=ROOT, env=ENVIRONMENT, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            print(line, end="", flush=True)
            plain = COLOUR.sub("", line).rstrip()
            if TELLING.search(plain):
                telling.append(f"{name}: {plain}")
    # The last that was said is what ended it: check mode has reported errors before that a role ignores.
    return (telling[-20:] or [f"{name}: molecule {command} ended with {running.returncode}"]) if running.returncode else []


if __name__ == "__main__":
    main()
