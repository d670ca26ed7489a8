# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with an attack in place, in namespaces of this machine, and the collection's own scripts that look at them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
SHELLS = [shell for shell in (("dash",), ("bash",), ("busybox", "ash")) if shutil.which(shell[0])]


class Look(NamedTuple):
    """The result of probing a host: the last answer, and the processes that were left behind."""

    answer: str
    left: list[str]


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        for item in items:
            if "look" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="needs root and /dev/fuse"))


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[-1])
def look(request):
    """Return a function that puts an attack in place and runs a script some times in each shell."""

    def run(attack, script, looks=1):
        done = subprocess.run(
            [*NAMESPACES, sys.executable, HERE / "host.py", attack, str(looks), *request.param],
            input=script + "\n",
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            # A look that never ends is what this suite is about.
            timeout=300,
        )
        told = json.loads(done.stdout)
        return Look(base64.b64decode(told["answer"]).decode("utf-8", "surrogateescape"), told["left"])

    return run
