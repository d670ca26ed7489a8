# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Pythons of this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path


@functools.lru_cache(maxsize=None)
def find(version):
    """Return the path of a Python of a version, such as `3.8`, that can make virtual environments, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which("python" + version), *sorted(map(str, pyenv.glob(version + ".*/bin/python")))]
    return next((candidate for candidate in candidates if candidate and _works(candidate, version)), None)


def _works(candidate, version):
    probe = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        [candidate, "-c", probe], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, text=True
    )
    return done.returncode == 0 and done.stdout.strip() == version
