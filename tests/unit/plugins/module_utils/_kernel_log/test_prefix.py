# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefixes of lines, piece by piece."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.prefix import LONGEST_PREFIX, prefix
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock

CLOCK = Clock(1795300000)
MESSAGE = "Out of memory: Killed process 7 (x)"


def read(line):
    record, position = prefix(line, CLOCK)
    return record, line[position:]


@pytest.mark.parametrize(
    ("front", "uptime", "epoch"),
    [
        ("", None, None),
        ("kernel: ", None, None),
        ("[   12.500000] ", 12.5, None),
        ("[   12.500000 <    0.000003>] ", 12.5, None),
        ("[   12.500000][ T9185] ", 12.5, None),
        ("[   12.500000] h kernel: ", 12.5, None),
        ("<3>[   12.500000] ", 12.5, None),
        ("3,1321,12500000,-;", 12.5, None),
        ("3,1321,12500000,-,caller=T9185;", 12.5, None),
        ("kern  :err   : [   12.500000] ", 12.5, None),
        ("[Fri Nov 20 22:20:29 2026] ", None, 1795213229),
        ("[Nov20 22:20] ", None, None),
        ("[  +0.000082] ", None, None),
        ("Nov 20 22:20:29 h kernel: ", None, 1795213229),
        ("Nov 20 22:20:29 h kernel: [   12.500000] ", 12.5, 1795213229),
        ("Nov 20 22:20:29 kernel: ", None, 1795213229),
        ("2026-11-20T22:20:29.000000+00:00 h kernel: [   12.500000] ", 12.5, 1795213229),
        ("Fri 2026-11-20 22:20:29 UTC h kernel: ", None, 1795213229),
        ("1795213229.000000 h kernel: ", None, 1795213229),
        ("<3>1 2026-11-20T22:20:29Z h kernel - - - ", None, 1795213229),
        ("2026-11-20 22:20:29 192.0.2.1:6665 [   12.500000] ", 12.5, 1795213229),
        ("Fri Nov 20 22:20:29 2026 kern.err kernel: [   12.500000] ", 12.5, 1795213229),
        ("> > [   12.500000] ", 12.5, None),
        ("percona # [   12.500000] ", 12.5, None),
        ("Nov 20 22:20:29 2001:db8:0:215::133 kernel: [   12.500000] ", 12.5, 1795213229),
        ("Nov 20 22:20:29 [2001:db8::1] kernel: [   12.500000] ", 12.5, 1795213229),
        ("Nov 20 22:20:29 2019-web1 kernel: ", None, 1795213229),
        ("2026-11-20T22:20:29,000000+00:00 ", None, 1795213229),
        ("2026-11-20T22:20:29,000000+0000 ", None, 1795213229),
    ],
)
def test_a_kernels_prefix(front, uptime, epoch):
    record, rest = read(front + MESSAGE)
    assert (rest, record.uptime, record.epoch, record.program) == (MESSAGE, uptime, epoch, None)
    assert record.prefixed == bool(front)


@pytest.mark.parametrize(
    ("front", "program"),
    [
        ("Nov 20 22:20:29 h sshd[12]: ", "sshd"),
        ("Nov 20 22:20:29 h kernel[12]: ", "kernel[12]"),
        ("Nov 20 22:20:29 h user.err kernel: ", "kernel[]"),
        ("<11>[   12.500000] ", "?"),
        ("12,1321,12500000,-;", "?"),
        ("user  :err   : [   12.500000] ", "user"),
    ],
)
def test_a_programs_prefix(front, program):
    assert read(front + MESSAGE)[0].program == program


@pytest.mark.parametrize(
    ("front", "caller"),
    [("[   12.500000][ T9185] ", "T9185"), ("[   12.500000] [  C1] ", "C1"), ("3,1,5,-,caller=T7;", "T7")],
)
def test_the_task_that_the_kernel_names(front, caller):
    assert read(front + MESSAGE)[0].caller == caller


def test_a_name_with_a_colon_is_no_tag_in_a_log_of_dmesg():
    record, rest = read("2026-11-20T22:20:29,000000+00:00 tmux: server invoked oom-killer: x")
    assert (rest, record.program) == ("tmux: server invoked oom-killer: x", None)


def test_a_host_in_capitals_is_no_zone():
    record, rest = read("2026-11-20 22:20:29 WEB kernel: " + MESSAGE)
    assert (rest, record.epoch) == (MESSAGE, 1795213229)


def test_text_in_front_of_a_prefix_is_kept_as_junk():
    record, rest = read("see here: Nov 20 22:20:29 h kernel: " + MESSAGE)
    assert (rest, record.junk, record.program) == (MESSAGE, "see here: ", None)


def test_a_program_that_quotes_the_kernel_is_not_the_kernel():
    assert read("npd[6018]: saw Nov 20 22:20:29 h kernel: " + MESSAGE)[0].program == "?"


@given(st.text(max_size=300))
def test_any_text_has_a_prefix_of_bounded_length(text):
    _record, position = prefix(text, CLOCK)
    assert 0 <= position <= max(len(text), LONGEST_PREFIX)
