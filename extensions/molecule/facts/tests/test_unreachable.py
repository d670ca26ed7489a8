# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test health on a box that is off, and on one that accepts a connection and then hangs."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from boxes import INVENTORY

UNREACHABLE = 4


def ask(box, tmp_path, arguments=""):
    """Run health like an operator, over a new connection; return the exit code and the output."""
    command = [
        "ansible",
        box,
        "-i",
        str(INVENTORY),
        "-m",
        "lifeline.fleet.health",
        "-a",
        arguments,
        "-T",
        "3",
        "-e",
        f"ansible_control_path_dir={tmp_path}",
    ]
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "lifeline.fleet.table",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
        "ANSIBLE_FORCE_COLOR": "false",
    }
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_box_that_is_off_is_down_in_the_table(tmp_path):
    assert_down("facts-down", *ask("facts-down", tmp_path))


@pytest.fixture
def hang():
    """Return a function that freezes a box: its kernel still accepts connections, but no process answers."""
    paused = []

    def pause(box):
        listed = subprocess.run(
            ["ansible-inventory", "-i", str(INVENTORY), "--host", box], stdout=subprocess.PIPE, text=True, check=True
        )
        container = json.loads(listed.stdout)["lab_container"]
        subprocess.run(["podman", "pause", container], check=True, stdout=subprocess.DEVNULL)
        paused.append(container)

    yield pause
    for container in paused:
        subprocess.run(["podman", "unpause", container], check=True, stdout=subprocess.DEVNULL)


def assert_down(box, code, output):
    assert code == UNREACHABLE
    assert [line.split()[:2] for line in output.splitlines() if line.startswith(box)] == [[box, "down"]], output


def test_a_box_that_hangs_is_down_in_the_table(hang, tmp_path):
    hang("facts-fds")
    assert_down("facts-fds", *ask("facts-fds", tmp_path))


def test_a_box_that_hangs_behind_a_warm_connection_is_down_as_well(hang, tmp_path):
    assert ask("facts-fds", tmp_path)[0] == 0
    hang("facts-fds")
    code, output = ask("facts-fds", tmp_path, "deadline=3")
    assert_down("facts-fds", code, output)
    assert "said nothing for 3 s" in output
