# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' own tool for tests, from Debian's package: unpacked below .cache, for to install it would start a server."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PLACE = Path(__file__).resolve().parents[2] / ".cache" / "promtool"


@functools.lru_cache(maxsize=None)
def find():
    """The path of promtool. A machine without it and without apt skips the test."""
    found = shutil.which("promtool") or str(PLACE / "usr" / "bin" / "promtool")
    if not Path(found).exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            pytest.skip("there is no promtool on this machine, nor apt-get to fetch it")
        fetch()
    return found


def fetch():
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE.parent) as folder:
        done = _run("apt-get", "download", "-q", "prometheus", cwd=folder)
        if done.returncode and os.geteuid() == 0:
            # Nobody has asked yet which packages there are.
            _run("apt-get", "update", "-qq")
            done = _run("apt-get", "download", "-q", "prometheus", cwd=folder)
        assert done.returncode == 0, done.stdout
        (package,) = Path(folder).glob("*.deb")
        unpacked = Path(folder) / "unpacked"
        subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
        shutil.rmtree(PLACE, ignore_errors=True)
        (PLACE / "usr" / "bin").mkdir(parents=True)
        (unpacked / "usr" / "bin" / "promtool").rename(PLACE / "usr" / "bin" / "promtool")


def run(*arguments, text=None):
    """What promtool says, and whether it is content."""
    done = _run(find(), *arguments, input=text)
    return done.returncode == 0, done.stdout


def _run(*argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
