# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors of this process, and of one that is gone."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys

import pytest

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import descriptor_reader

ME = os.getpid()


def gone():
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_one_more_descriptor_counts_as_one():
    before = descriptor_reader.count(ME)
    with open(os.devnull):
        assert descriptor_reader.count(ME) == before + 1


@pytest.mark.parametrize("count", [descriptor_reader._count_by_list, descriptor_reader._count_by_size])
def test_a_process_that_is_gone_has_no_count(count):
    assert count(gone()) is None


def test_the_source_has_a_line_for_each_process_that_is_there():
    lines = descriptor_reader.count_all([ME, gone()]).splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(f" /proc/{ME}/fd")


def test_both_ways_to_count_agree_if_the_kernel_knows_both():
    if os.stat("/proc/self/fd").st_size == 0:
        pytest.skip("the kernel is older than 6.2")
    # This process may close some in between; one that waits for input does not.
    waiting = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"\n"
        by_list, by_size = descriptor_reader._count_by_list(process.pid), descriptor_reader._count_by_size(process.pid)
        process.communicate(b"\n")
    assert by_list == by_size > 2


def test_links_of_this_process(tmp_path):
    path = tmp_path / "a b\udcff"
    with open(path, "w"), socket.socket() as sock:
        targets = descriptor_reader.links([ME, gone()])
        assert list(targets) == [ME]
        assert f"socket:[{os.fstat(sock.fileno()).st_ino}]" in targets[ME]
        assert f"{tmp_path}/a b\\xff" in targets[ME]


def test_watches_of_inotify(tmp_path):
    libc = ctypes.CDLL(None, use_errno=True)
    before = descriptor_reader.inotify_watches(ME)
    instance = libc.inotify_init()
    assert instance >= 0, os.strerror(ctypes.get_errno())
    try:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            assert libc.inotify_add_watch(instance, os.fsencode(tmp_path / name), 0x100) >= 0
        assert descriptor_reader.inotify_watches(ME) == before + 2
        assert descriptor_reader.INOTIFY in descriptor_reader.links([ME])[ME]
    finally:
        os.close(instance)
    assert descriptor_reader.inotify_watches(gone()) == 0
