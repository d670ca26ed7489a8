# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer with anything, in any amount, at any speed, through Ansible with an ssh of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

ANSIBLE = Path(sys.executable).with_name("ansible")
# A number of seconds by which the test finds the clients that are left.
MARK = "1017.4242"
SSH = f"""#!/bin/sh
for last; do :; done
case "$*" in
  *silent*) exec sleep {MARK};;
  *endless*) exec cat /dev/zero;;
  *halfway*) printf "\\n==> lifeline:files <==\\n"; exec sleep {MARK};;
  *refused*) echo "ssh: connect to host refused port 22: Connection refused" >&2; exit 255;;
  *odd*) echo "percent_expand: unknown key %z" >&2; exit 255;;
  *loading*) printf "Loading...";;
  *clear*) printf "\\033[2J\\033[31m"; exit 0;;
esac
exec sh -c "$last"
"""


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """Return the rows of the table of one look at all of these hosts, and all that was printed."""
    folder = tmp_path_factory.mktemp("controller")
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    hosts = ["silent", "endless", "halfway", "refused", "odd", "loading", "clear", "honest1", "honest2"]
    variables = {
        "ansible_ssh_executable": str(folder / "ssh"),
        "ansible_ssh_retries": 3,
        "ansible_pipelining": True,
        "lifeline_history": str(folder / "history.db"),
    }
    done = subprocess.run(
        [
            ANSIBLE,
            "all",
            "-i",
            ",".join(hosts),
            "-f",
            "9",
            "-m",
            "lifeline.fleet.health",
            "-a",
            "deadline=6 timeout=0.3",
        ]
        + ["-e", json.dumps(variables)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
        cwd=folder,
        env=dict(
            os.environ,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_STDOUT_CALLBACK="lifeline.fleet.table",
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(folder / "cp"),
            COLUMNS="1000",
        ),
    )
    rows = {line.split()[0]: line for line in done.stdout.decode(errors="replace").splitlines() if line.split()}
    return rows, done.stdout


@pytest.mark.parametrize(
    ("host", "verdict", "words"),
    [
        ("silent", "down", "said nothing for 6 s"),
        ("halfway", "unknown", "began to answer"),
        ("refused", "down", "Connection refused"),
        ("odd", "unknown", "percent_expand"),
        ("endless", "unknown", "answer"),
        ("clear", "unknown", r"\x1b[2J"),
    ],
)
def test_each_host_has_its_own_row_and_reason(looked, host, verdict, words):
    row = looked[0][host]
    assert row.split()[1] == verdict
    assert words in row


@pytest.mark.parametrize("host", ["loading", "honest1", "honest2"])
def test_the_others_are_judged(looked, host):
    assert looked[0][host].split()[1] in ("ok", "warning", "critical")


def test_nothing_of_a_host_reaches_the_terminal_raw(looked):
    assert b"\x1b[2J" not in looked[1]


def test_no_client_is_left_on_the_controller(looked):
    left = subprocess.run(["pgrep", "-af", f"sleep {MARK}"], stdout=subprocess.PIPE, text=True, check=False)
    assert left.stdout == ""
