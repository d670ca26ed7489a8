# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the unit tests: all of them with the Python that runs Ansible, those of what runs on boxes with every Python from 3.8 on."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import interpreters

ROOT = Path(__file__).resolve().parents[1]
ON_BOXES = ROOT / "tests" / "unit" / "plugins" / "module_utils"
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def main():
    own = "%d.%d" % sys.version_info[:2]
    others = [version for version in VERSIONS if version != own and interpreters.find(version)]
    print(f"==> unit tests on Python {own}", flush=True)
    failed = [own] if pytest(sys.executable, "--numprocesses", "2", "--dist", "loadfile").returncode else []
    with ThreadPoolExecutor(2) as pool:
        failed += filter(None, pool.map(fails, others))
    for version in VERSIONS:
        if version not in (own, *others):
            print(f"==> left out: Python {version}, which this machine doesn't have", flush=True)
    if failed:
        sys.exit(f"unit tests failed on Python {', '.join(failed)}")


def fails(version):
    """The version, if what runs on boxes fails there. What pytest says of it is said at once, as another runs beside it."""
    ran = pytest(environment(version), ON_BOXES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"==> unit tests on Python {version} of what runs on boxes\n{ran.stdout}", end="", flush=True)
    return version if ran.returncode else None


def environment(version):
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
    environ = dict(os.environ, PYTHONPATH=str(ROOT / ".cache" / "collections"), PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run([python, "-m", "pytest", "-q", *arguments], cwd=ROOT, env=environ, check=False, **options)


if __name__ == "__main__":
    main()
