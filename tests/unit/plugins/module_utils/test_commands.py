# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types

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
