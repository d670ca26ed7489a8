# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process cannot forge the kernel's values by its name."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import example, given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import stat

REST = "S 1 808 808 0 -1 4194560 1000 0 4 0 7 11 0 0 20 0 3 0 2345 10000000 512 18446744073709551615 1 1 0 0 0 0 0 0\n"


def test_a_line_of_the_kernel():
    assert stat.parse(f"808 (sshd) {REST}") == stat.Stat(
        name="sshd",
        state="S",
        ppid=1,
        flags=4194560,
        user_ticks=7,
        system_ticks=11,
        nice=0,
        threads=3,
        start_ticks=2345,
        virtual_bytes=10000000,
        rss_pages=512,
    )
    assert not stat.parse(f"808 (sshd) {REST}").is_kernel_thread


def test_a_thread_of_the_kernel_has_its_flag():
    text = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 12 0 0 18446744073709551615 0 0\n"
    assert stat.parse(text).is_kernel_thread


@pytest.mark.parametrize("name", ["", "a b", ")", ") R 0 0 (", "a\nb", "x) S 1 1 1", "\\", "(sd-pam)"])
def test_a_name_may_hold_anything(name):
    assert stat.parse(f"9 ({name}) {REST}") == stat.parse(f"9 (sshd) {REST}")._replace(name=name)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "808",
        "808 (sshd)",
        "808 (sshd) ",
        "808 (sshd) S 1 808",
        f"808 (sshd {REST}",
        f"808 (sshd) {REST[2:]}",
        f"808 (sshd) {REST.replace(' 3 ', ' three ')}",
        f"808 (sshd) {REST.replace('2345', '9' * 21)}",
        f"808 (sshd) {REST.replace('2345', '-1')}",
    ],
)
def test_anything_else_is_nothing(text):
    assert stat.parse(text) is None


def test_the_own_process():
    thread = threading.Thread(target=threading.Event().wait, args=(5,), daemon=True)
    thread.start()
    with open("/proc/self/stat", encoding="utf-8", errors="backslashreplace") as stream:
        found = stat.parse(stream.read())
    assert (found.ppid, found.state, found.is_kernel_thread) == (os.getppid(), "R", False)
    assert found.threads >= 2
    assert found.virtual_bytes >= found.rss_pages * os.sysconf("SC_PAGE_SIZE") > 0


@given(st.text())
@example("1 (" + ")" * 50 + " S" + " 1" * 60)
def test_no_text_makes_it_raise(text):
    for whole in (text, f"1 ({text}", f"1 (a) {text}", f"1 (a) {text} {REST}"):
        found = stat.parse(whole)
        assert found is None or isinstance(found.start_ticks, int)
