# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run promtool, Prometheus' own checker, on metrics and rules.

`python -m metrics.promtool` takes it out of Debian's package `prometheus` and puts it below .cache: installing the
package would start a server. `make test` does this; the unit tests that need promtool are skipped without it.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "promtool"


def run(*arguments: str, text: str | None = None) -> tuple[bool, str]:
    """Return whether promtool succeeded, and its output; skip the test on a machine without promtool."""
    done = _run(_find(), *arguments, input=text)
    return done.returncode == 0, done.stdout


@functools.lru_cache(maxsize=None)
def _find() -> str:
    found = shutil.which("promtool", path=os.pathsep.join((os.environ["PATH"], str(FOLDER))))
    if found is None:
        pytest.skip("promtool is not installed: `make test` fetches it")
    return found


def fetch() -> None:
    """Put promtool below .cache, if it is neither there nor installed."""
    if shutil.which("promtool") or (FOLDER / "promtool").exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        done = _run("apt-get", "download", "-q", "prometheus", cwd=folder)
        if done.returncode and os.geteuid() == 0:
            # apt may not have its package lists yet.
            _run("apt-get", "update", "-qq")
            done = _run("apt-get", "download", "-q", "prometheus", cwd=folder)
        if done.returncode:
            raise SystemExit(f"promtool: apt-get could not download the package prometheus: {done.stdout.strip()}")
        (package,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, Path(folder) / "unpacked"], check=True)
        (Path(folder) / "unpacked" / "usr" / "bin" / "promtool").rename(FOLDER / "promtool")


def _run(*argv: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


if __name__ == "__main__":
    fetch()
