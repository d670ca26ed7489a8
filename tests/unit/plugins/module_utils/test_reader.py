# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and programs become sources; what cannot be read is left out."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader


def test_bytes_that_are_not_utf_8_are_spelt_as_the_kernel_spells_them():
    assert _reader.decode(b"/a\xff\xc3\xbc") == "/a\\xff\u00fc"


def test_a_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one\r\ntwo")
    assert _reader.read(str(path)) == "one\r\ntwo"
    assert _reader.read(str(path), limit=3) == "one"
    assert _reader.read_or_none(str(path), limit=0) == ""


def test_what_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "file").write_text("text")
    paths = [str(tmp_path / "missing"), str(tmp_path), "nul\0", str(tmp_path / "file")]
    sources = {"known": "before"}
    assert _reader.read_files(paths, sources) is sources
    assert sources == {"known": "before", str(tmp_path / "file"): "text"}
    assert _reader.read_or_none(paths[0]) is None
    with pytest.raises(FileNotFoundError):
        _reader.read(paths[0])


def test_this_process_is_among_those_that_are_listed():
    pids = _reader.list_pids()
    assert os.getpid() in pids
    assert pids == sorted(pids)


def test_paths_of_processes():
    assert _reader.process_paths(("stat", "limits"), [1, 20]) == [
        "/proc/1/stat",
        "/proc/1/limits",
        "/proc/20/stat",
        "/proc/20/limits",
    ]


def test_a_program_runs_in_the_c_locale_without_input(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    code = "import os, sys; print(os.environ['LC_ALL'], os.environ['LANGUAGE'] or '-', repr(sys.stdin.read()))"
    assert _reader.run([sys.executable, "-c", code]) == "C - ''\n"


@pytest.mark.parametrize("argv", [["false"], ["/no/such/program"], ["sh", "-c", "echo half; exit 3"]])
def test_a_program_that_fails_tells_nothing(argv):
    assert _reader.run(argv) is None


def test_a_program_that_hangs_is_given_up():
    assert _reader.run(["sh", "-c", "echo begun; exec sleep 60"], timeout=0.1) is None
