# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer with any text, in any amount and speed, through Ansible with an ssh of the test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.plugin_utils._probe import health
from paths import ROOT

ANSIBLE = Path(sys.executable).with_name("ansible")
# An unusual number of seconds that identifies the clients that are left.
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
  *drip*) printf "\\n==> lifeline:files <==\\n"; while sleep 0.2; do printf x; done;;
  *fleet*) exec cat "$0.answer";;
  *clear*) printf "\\033[2J\\033[31m"; exit 0;;
esac
exec sh -c "$last"
"""


def look(folder, hosts, *arguments):
    """Look at hosts, and return the rows of the table by host, and all that was printed."""
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    variables = {
        "ansible_ssh_executable": str(folder / "ssh"),
        "ansible_ssh_retries": 3,
        "ansible_pipelining": True,
        "lifeline_history": str(folder / "history.db"),
    }
    done = subprocess.run(
        [ANSIBLE, "all", "-i", ",".join(hosts), "-m", "lifeline.fleet.health", "-e", json.dumps(variables), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=600,
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


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """Return the rows of the table of one look at all of these hosts, and all that was printed."""
    hosts = ["silent", "endless", "halfway", "refused", "odd", "loading", "clear", "honest1", "honest2"]
    return look(tmp_path_factory.mktemp("controller"), hosts, "-f", "9", "-a", "deadline=6 timeout=0.3")


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


def clients():
    """Return the clients that are left of hosts that were silent."""
    return subprocess.run(["pgrep", "-af", f"sleep {MARK}"], stdout=subprocess.PIPE, text=True, check=False).stdout


def test_no_client_is_left_on_the_controller(looked):
    assert clients() == ""


def test_twenty_looks_at_a_shell_that_hangs_leave_no_client(tmp_path):
    rows, _printed = look(tmp_path, [f"silent{number}" for number in range(20)], "-f", "20", "-a", "deadline=3")
    assert [rows[f"silent{number}"].split()[1] for number in range(20)] == ["down"] * 20
    assert clients() == ""


@pytest.mark.parametrize("hostile", ["drip", "endless"])
def test_one_hostile_host_among_fifty_costs_its_own_row_only(hostile, tmp_path):
    answer = subprocess.run(["sh", "-c", health.script(0.3)], stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "ssh.answer").write_bytes(answer)
    fleet = [f"fleet{number}" for number in range(49)]
    rows, _printed = look(tmp_path, [hostile, *fleet], "-f", "10", "-a", "deadline=6")
    assert {host for host in fleet if rows[host].split()[1] in ("ok", "warning", "critical")} == set(fleet)
    assert rows[hostile].split()[1] == "unknown"
    # An endless answer has one of two ends, by how fast this machine is.
    assert re.search("did not finish within 6 s|answered with more than", rows[hostile])
