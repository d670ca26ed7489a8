# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import sys
import time
import types
from pathlib import Path

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _commands


def test_a_module_runs_its_commands_in_english_and_looks_in_the_system_folders():
    asked = []

    def run_command(argv, data=None, environ_update=None):
        asked.append((argv, data, environ_update))
        return 3, "out", "err"

    def get_bin_path(name, opt_dirs=()):
        asked.append((name, opt_dirs))
        return "/usr/sbin/" + name

    module = types.SimpleNamespace(run_command=run_command, get_bin_path=get_bin_path, tmpdir="/tmp/x")
    commands = _commands.Commands.of_module(module)
    assert commands.find("nft") == "/usr/sbin/nft"
    assert commands.run("nft", "-f", "-", data="x") == (3, "out", "err")
    assert commands.tmpdir == "/tmp/x"
    assert asked == [
        ("nft", ["/usr/local/sbin", "/usr/sbin", "/sbin"]),
        (["nft", "-f", "-"], "x", {"LC_ALL": "C"}),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, "out\n", "Error: no\n  such table\n"), "Error: no such table"),
        ((1, "only output\n", ""), "only output"),
        ((4, "", ""), "exit status 4"),
        ((4, " \n", ""), "exit status 4"),
    ],
)
def test_what_a_program_said_is_one_line(answer, said):
    assert _commands.words(answer) == said


def test_a_foreign_program_runs_in_its_folder_without_input_or_a_terminal(tmp_path):
    script = "pwd; cat; [ -t 0 ] || echo no terminal; echo wrong >&2; exit 3"
    code, out, err = _commands.run_foreign(["sh", "-c", script], str(tmp_path))
    assert (code, out, err) == (3, f"{tmp_path}\nno terminal\n", "wrong\n")


def alive(group):
    """Return the processes of a group that still run; a container's first process may leave zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, owner = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(owner) == group and state != "Z":
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize("script", ["exec sleep 1000", "while :; do echo x; done", "sleep 1000 & wait"])
def test_a_foreign_program_that_does_not_end_is_killed_with_what_it_started(script):
    code, out, _err = _commands.run_foreign(["sh", "-c", f"echo $$; {script}"], "/", seconds=0.3, most=100)
    assert code == -9
    group = int(out.split()[0])
    assert len(out) <= 100
    until = time.monotonic() + 30
    while alive(group):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("held", ["sleep 1000 &", "(while :; do echo x; done) &"])
def test_what_holds_the_output_open_does_not_keep_a_foreign_program_from_ending(held):
    assert _commands.run_foreign(["sh", "-c", f"{held} echo done; exit 0"], "/", seconds=0.5)[0] == 0


def test_a_process_that_left_the_session_of_a_foreign_program_is_not_waited_for(tmp_path):
    leave = (
        "import os,signal,sys\nif os.fork(): sys.exit(7)\nos.setsid(); print(os.getpid(), flush=True); signal.pause()"
    )
    code, out, _err = _commands.run_foreign([sys.executable, "-c", leave], str(tmp_path), seconds=20)
    assert code == 7
    os.kill(int(out), 9)


def test_much_output_of_a_foreign_program_is_cut_off():
    code, out, err = _commands.run_foreign(["sh", "-c", "yes | head -c 9000000; echo x >&2"], "/", most=1000)
    assert (code, len(out), err) == (0, 1000, "x\n")
