# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every molecule scenario: those of the lab, and the drill when its boxes are gone. What failed is said once more at the end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Wide enough for the name of a test, and for what it found.
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180"}
TELLING = re.compile(r"│ (E  |FAILED |ERROR )|^ *(\[ERROR\]|fatal: |drill: )|^ERROR ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def main():
    # Molecule remembers boxes that may be long gone.
    subprocess.run(["molecule", "reset", "--scenario-name", "default"], cwd=ROOT, env=ENVIRONMENT, check=True)
    for chosen in (["--all", "--exclude", "drill"], ["--scenario-name", "drill"]):
        telling, status = molecule("test", *chosen)
        if status:
            # The last that was said is what ended it: check mode has reported errors before that a role ignores.
            sys.exit("\n".join(["", "what failed:", *telling[-20:]]))


def molecule(*argv):
    """Run it, pass on what it says, and return the lines that tell of failures, and its exit status."""
    telling = []
    with subprocess.Popen(["molecule", *argv], cwd=ROOT, env=ENVIRONMENT, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        for line in running.stdout:
            print(line, end="", flush=True)
            plain = COLOUR.sub("", line).rstrip()
            if TELLING.search(plain):
                telling.append(plain)
    return telling, running.returncode


if __name__ == "__main__":
    main()
