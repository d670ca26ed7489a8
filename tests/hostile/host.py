# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Be a hostile host: put an attack in place, let a script look at it some times, and tell what came and what was left.

Run it as the first process of new namespaces. It prints JSON: the last answer, in base64, the seconds of each look, and
the processes that were there after the last look and not before the first.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import attacks

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Take from the arguments the attack, the number of looks, and the shell that reads the script from its input."""
    attack, looks, shell = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    script = sys.stdin.read()
    for folder in ("/run", "/tmp"):
        _empty(folder)
    getattr(attacks, attack)()
    before, seconds = _processes(), []
    for _turn in range(looks):
        began = time.monotonic()
        # As with sshd, the look ends when nothing holds its output open any more.
        done = subprocess.run(
            shell, input=script.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        seconds.append(time.monotonic() - began)
    time.sleep(0.2)
    left = {pid: name for pid, name in _processes().items() if pid not in before}
    answer = base64.b64encode(done.stdout).decode()
    print(json.dumps({"answer": answer, "seconds": seconds, "left": sorted(left.values())}), flush=True)
    # With its first process a namespace loses all others, even those that a silent mount has caught.
    os._exit(0)


def _empty(folder: str) -> None:
    """Mount an empty file system on a folder, and keep this working copy in its place if it is below the folder."""
    root = os.open(ROOT, os.O_PATH)
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    if ROOT.is_relative_to(folder):
        ROOT.mkdir(parents=True)
        # Without -c, mount would follow the link to the empty folder.
        subprocess.run(["mount", "-c", "--bind", f"/proc/{os.getpid()}/fd/{root}", ROOT], check=True)
    os.close(root)


def _processes() -> dict[int, str]:
    """Return name and state of all processes but zombies, which this first process doesn't wait for."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _closed, rest = path.read_text(errors="replace").rpartition(")")
        except OSError:
            continue
        if rest.split()[0] != "Z":
            found[int(path.parent.name)] = f"{head.partition('(')[2]} {rest.split()[0]}"
    return found


if __name__ == "__main__":
    main()
