# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the output of the command at the beginning of the README."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import boxes as lab

ROOT = pathlib.Path(__file__).resolve().parents[4]
# The fault of each box, and the words that must be in its line.
SAID = {
    "down": ("down", r"port 22: "),
    "oom": ("critical", r"worker sidekiq is not running: sidekiq\.service has failed .*; \d+ OOM kills? in 24 h"),
    "disk": ("critical", r"/data is 9\d(\.\d)? % full, "),
    "fds": ("critical", r"python3 \(pid \d+\) has 9\d\d of its 1024 descriptors open"),
    "leak": ("warning", r"sidekiq uses 1[89]\dM of its 200M"),
    "ok": ("ok", r""),
}
WORST_FIRST = ["down", "critical", "warning", "ok"]


def test_one_line_per_box_the_worst_first():
    # Remove molecule's own settings, which an operator doesn't have.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment.update(
        ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_COLLECTIONS_PATH=os.environ["ANSIBLE_COLLECTIONS_PATH"]
    )
    shown = subprocess.run(
        ["ansible", "default", "-i", lab.INVENTORY, "-m", "lifeline.fleet.health"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )
    # Ansible's exit code for unreachable hosts.
    assert shown.returncode == 4, shown.stdout
    header, *rows, count = [line for line in shown.stdout.splitlines() if line]
    assert header.split() == ["BOX", "VERDICT", "MEMORY", "SWAP", "DISK", "FDS", "OOM", "WORKER", "REASONS"]
    assert count == "6 boxes: 1 down, 3 critical, 1 warning, 1 ok"
    told = {row.split()[0].removeprefix("default-"): row for row in rows}
    assert told.keys() == SAID.keys()
    for kind, (verdict, reason) in SAID.items():
        assert told[kind].split()[1] == verdict and re.search(reason, told[kind]), told[kind]
    places = [WORST_FIRST.index(row.split()[1]) for row in rows]
    assert places == sorted(places)
