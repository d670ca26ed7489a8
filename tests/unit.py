# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit tests: all of them with the Python that runs Ansible, those of what runs on boxes with every Python from 3.8 on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parents[1]
ON_BOXES = ROOT / "tests" / "unit" / "plugins" / "module_utils"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def main():
    own = "%d.%d" % sys.version_info[:2]
    failed = [] if run(own, sys.executable, "--numprocesses", "2", "--dist", "loadfile") else [own]
    for version in VERSIONS:
        if version == own:
            continue
        if interpreters.find(version) is None:
            print("==> left out: Python %s, which this machine doesn't have" % version, flush=True)
        elif not run(version, environment(version), ON_BOXES):
            failed.append(version)
    if failed:
        sys.exit("unit tests failed on Python %s" % ", ".join(failed))


def environment(version):
    place = ROOT / ".cache" / "unit" / version
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        subprocess.run([interpreters.find(version), "-m", "venv", "--clear", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", "hypothesis"], check=True)
        (place / "ready").touch()
    return python


def run(version, python, *arguments):
    print("==> unit tests on Python %s%s" % (version, " of what runs on boxes" if ON_BOXES in arguments else ""), flush=True)
    done = subprocess.run([python, "-m", "pytest", "-q", *arguments], cwd=ROOT, check=False,
                          env=dict(os.environ, PYTHONPATH=str(ROOT / ".cache" / "collections"), PYTHONDONTWRITEBYTECODE="1"))
    return done.returncode == 0


if __name__ == "__main__":
    main()
