# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit tests.

tests/unit.py                  all of them, on this Python
tests/unit.py tests/unit/...   a file or folder, on this Python
tests/unit.py --others         those of what may run on hosts, on every other Python from 3.8 on that this machine has
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parents[1]
ON_HOSTS = ROOT / "tests" / "unit" / "plugins" / "module_utils"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
OWN = "%d.%d" % sys.version_info[:2]


def main():
    parser = argparse.ArgumentParser(description="Run the unit tests.")
    parser.add_argument("paths", nargs="*", metavar="FILE", help="a file or folder below tests/unit")
    parser.add_argument("--plays", action="store_true", help="also the tests that start Ansible")
    parser.add_argument("--others", action="store_true", help="on every other Python, what may run on hosts")
    options = parser.parse_args()
    if options.others:
        on_the_others()
    else:
        # A few files are done before several workers have started.
        workers = str(min(8, os.cpu_count() or 1))
        together = () if options.paths else ("--numprocesses", workers, "--dist", "loadfile")
        chosen = () if options.paths or options.plays else ("-m", "not plays")
        sys.exit(pytest(sys.executable, *together, *chosen, *options.paths).returncode)


def on_the_others():
    """Run the tests of what may run on hosts on every other Python."""
    others = [version for version in VERSIONS if version != OWN and interpreters.find(version)]
    with ThreadPoolExecutor(2) as pool:
        failed = [version for version in pool.map(fails, others) if version]
    for version in VERSIONS:
        if version not in (OWN, *others):
            print(f"==> left out: Python {version}, which this machine doesn't have", flush=True)
    if failed:
        sys.exit(f"unit tests failed on Python {', '.join(failed)}")


def fails(version):
    """Return the version if its tests fail; their output is printed at once, as another Python's run beside them."""
    ran = pytest(environment(version), ON_HOSTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"==> unit tests on Python {version}\n{ran.stdout}", end="", flush=True)
    return version if ran.returncode else None


def environment(version):
    """Return the Python of a virtual environment for that version, which is made if it is missing."""
    place = ROOT / ".cache" / "unit" / version
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        subprocess.run([interpreters.find(version), "-m", "venv", "--clear", place], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", "hypothesis"],
            check=True,
        )
        (place / "ready").touch()
    return python


def pytest(python, *arguments, **options):
    """Run pytest and return the completed process."""
    # Compiled files stay: a hundred tests start Ansible, which would compile the collection each time.
    environ = dict(os.environ, PYTHONPATH=str(ROOT / ".cache" / "collections"))
    return subprocess.run([python, "-m", "pytest", "-q", *arguments], cwd=ROOT, env=environ, check=False, **options)


if __name__ == "__main__":
    main()
