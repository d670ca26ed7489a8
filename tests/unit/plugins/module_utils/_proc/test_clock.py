# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times at which a host was booted and read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import clock

STAT = "cpu  1 2 3\nintr 9 0 0\nctxt 77\nbtime 1750000000\nprocesses 5\n"


def test_the_boot_the_uptime_and_their_sum():
    sources = {"/proc/stat": STAT, "/proc/uptime": "1234.56 4000.00\n"}
    assert (clock.boot_time(sources), clock.uptime(sources)) == (1750000000, 1234.56)
    assert clock.read_at(sources) == pytest.approx(1750001234.56)


def test_this_host_was_read_now():
    sources = _reader.read_files(clock.SOURCES)
    # btime is whole seconds, and a container's uptime may have an offset of its own.
    assert clock.boot_time(sources) <= time.time()
    assert clock.read_at(sources) == clock.boot_time(sources) + clock.uptime(sources)


@pytest.mark.parametrize(
    ("stat", "uptime"),
    [
        ("", ""),
        ("btime\n", "x"),
        ("btime -5\n", "-5 1"),
        ("btime 9999999999999999\n", "9" * 20 + " 1"),
        ("x btime 5\n", " 5 1"),
        ("btime 5 6\n", "5.x 1"),
    ],
)
def test_what_the_kernel_would_not_write_is_unknown(stat, uptime):
    sources = {"/proc/stat": stat, "/proc/uptime": uptime}
    assert (clock.boot_time(sources), clock.uptime(sources), clock.read_at(sources)) == (None, None, None)


def test_without_one_of_the_files_the_time_of_reading_is_unknown():
    assert clock.read_at({"/proc/stat": STAT}) is None
    assert clock.read_at({"/proc/uptime": "1.00 1.00\n"}) is None
    assert clock.boot_time({}) is None


@given(st.text(), st.text())
def test_no_text_makes_it_raise(stat, uptime):
    clock.read_at({"/proc/stat": stat, "/proc/uptime": uptime})
