# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run molecule scenarios on the lab's hosts.

tests/scenarios.py monit facts                          these, side by side
tests/scenarios.py monit --suites trixie                on hosts of these releases
tests/scenarios.py monit --suites trixie --keep         and keep the hosts: the next run only converges and verifies
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "extensions" / "molecule"
# The drill has its own target: it takes all processors, for a long time.
NAMES = sorted(folder.parent.name for folder in FOLDER.glob("*/molecule.yml") if folder.parent.name != "drill")
# Wide enough for the name of a test and for its message.
ENVIRONMENT = {**os.environ, "ANSIBLE_INJECT_FACT_VARS": "false", "COLUMNS": "180"}
AT_ONCE = 3


def main():
    parser = argparse.ArgumentParser(description="Run molecule scenarios on the lab's hosts.")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"which of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--suites", help="Debian releases, by comma (default: what tests/lab/boxes.toml says)")
    parser.add_argument("--keep", action="store_true", help="keep the hosts, and use those that a run has kept")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    if options.suites:
        ENVIRONMENT["LAB_SUITES"] = options.suites.replace(" ", ",")
    names = options.names or NAMES
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = dict(zip(names, pool.map(lambda name: run(name, options.keep, len(names) > 1), names)))
    failed = [name for name, succeeded in ended.items() if not succeeded]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}\nrepeat with: {repeating(failed, options)}")


def repeating(failed, options):
    """Return the command that runs the failed scenarios again."""
    more = f" SUITES={options.suites}" if options.suites else ""
    return f"make molecule SCENARIO={json.dumps(' '.join(failed))}{more}{' KEEP=yes' if options.keep else ''}"


def run(name, keep, prefixed):
    """Run a scenario and return whether it succeeded; the lines of one that runs beside others begin with its name."""
    began = time.monotonic()
    succeeded = all(_molecule(command, prefixed and name) for command in commands(name, keep))
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"==> scenario {name} {'passed' if succeeded else 'failed'} after {minutes}:{seconds:02}", flush=True)
    return succeeded


def commands(name, keep=False):
    """Return the molecule commands that run a scenario: all of it, or only what kept hosts still need."""
    if not keep:
        return [["molecule", "test", "--scenario-name", name]]
    if not kept(name):
        return [["molecule", "test", "--destroy", "never", "--scenario-name", name]]
    told = {}
    for path in (FOLDER / "config.yml", FOLDER / name / "molecule.yml"):
        told.update(yaml.safe_load(path.read_text()).get("scenario", {}))
    steps = [step for step in told["test_sequence"] if step in ("converge", "verify")]
    return [["molecule", step, "--scenario-name", name] for step in steps]


def kept(name):
    """Return whether the scenario's hosts run, on the releases that are asked for."""
    lab = [sys.executable, str(ROOT / "tests" / "lab" / "lab.py")]
    done = subprocess.run(
        [*lab, "missing", "--set", name], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    )
    return not done.stdout.strip()


def _molecule(command, prefix):
    if not prefix:
        return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False).returncode == 0
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        for line in running.stdout:
            print(f"{prefix:16} {line}", end="", flush=True)
    return running.returncode == 0


if __name__ == "__main__":
    main()
