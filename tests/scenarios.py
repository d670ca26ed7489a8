# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the molecule scenarios that are named, or all, one after another. How long each took, and what failed, is said once more at the end.

Each has its own boxes, and no other's run meanwhile: their latencies count.
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
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180"}
TELLING = re.compile(r"│ (E  |FAILED |ERROR )|^ *(\[ERROR\]|fatal: |drill: )|^ERROR ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main():
    known = {folder.parent.name for folder in (ROOT / "extensions" / "molecule").glob("*/molecule.yml")}
    wanted = set(sys.argv[1:]) or known
    if wanted - known:
        sys.exit("there is no scenario %s: there are %s" % (", ".join(sorted(wanted - known)), ", ".join(sorted(known))))
    ended, failed = [], []
    for name in sorted(wanted):
        began = time.monotonic()
        telling = scenario(name)
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        ended.append(f"==> scenario {name} {'failed' if telling else 'passed'} after {minutes}:{seconds:02}")
        print(ended[-1], flush=True)
        failed += telling
    print("", *ended, sep="\n", flush=True)
    if failed:
        sys.exit("\n".join(["", "what failed:", *failed]))


def scenario(name):
    """Run it, pass on what it says, and return the lines that tell why it failed: none where it didn't."""
    telling = []
    with subprocess.Popen(["molecule", "test", "--scenario-name", name], cwd=ROOT, env=ENVIRONMENT, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            print(line, end="", flush=True)
            plain = COLOUR.sub("", line).rstrip()
            if TELLING.search(plain):
                telling.append(f"{name}: {plain}")
    # The last that was said is what ended it: check mode has reported errors before that a role ignores.
    return (telling[-20:] or [f"{name}: molecule test ended with {running.returncode}"]) if running.returncode else []


if __name__ == "__main__":
    main()
